"""Every way to a message, walked by its owner, a colleague, a stranger and somebody who isn't signed in, whatever the
owner lets be seen; and by staff who may open the mail of others, giving a reason."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from django.db.models import Q
from django.urls import reverse
from django.utils import timezone

from crm.hooks import CrmHooks
from crm.models import Contact
from mailaccounts.models import (
    LISTED,
    ActionState,
    BreakGlass,
    Look,
    MailAccount,
    MailAction,
    Message,
    Outgoing,
    OutgoingState,
    Shown,
    Visibility,
    Why,
)
from mailaccounts.selectors import Access
from mailaccounts.services.inbox import attached, pictures
from mailaccounts.services.people import forgetting
from mailaccounts.services.trail import break_glass
from tests.app.builders import make_account, make_credential, make_outgoing, make_user
from tests.app.staff import make_staff
from tests.app.test_pages_access import addresses
from tests.crm.builders import make_company, make_contact, store_message

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.test import Client

pytestmark = pytest.mark.django_db

NOBODY = Access.OWN + 1
SUBJECT, BODY, FILE = "The-subject", "What-it-says", "what-is-attached.pdf"

#: What a mailbox shows, of a message what its owner decided, and what a colleague may see then.
SHOWS = [
    (Visibility.OWNER, Shown.AS_ACCOUNT, None),
    (Visibility.SUBJECT, Shown.AS_ACCOUNT, Access.SUBJECT),
    (Visibility.EVERYTHING, Shown.AS_ACCOUNT, Access.READ),
    (Visibility.EVERYTHING, Shown.HIDDEN, None),
    (Visibility.OWNER, Shown.REVEALED, Access.READ),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """A way to a message, open to a colleague who may see at least so much of it (None: to everybody who is signed in,
    and it shows what they may see). ``key`` is what its address names; what it ``posts`` makes it one that takes only
    that. ``glass``: it opens to staff as well, while they have the mailbox opened."""

    opens: int | None
    key: Callable[[Message], int | str | None] = lambda message: message.pk
    posts: dict[str, str] | None = None
    page: bool = True  # of the site, rather than what is in a message
    glass: bool = False


def nothing(message: Message) -> None:
    return None


def contact(message: Message) -> int:
    return Contact.objects.get().pk


def company(message: Message) -> int | None:
    return Contact.objects.get().company_id


def attachment(message: Message) -> int:
    return message.attachments.get().pk


def draft(message: Message) -> int:
    return make_outgoing(message.account, subject=SUBJECT, body_text=BODY).pk


def outgoing(message: Message) -> int:
    return make_outgoing(message.account, subject=SUBJECT, body_text=BODY, state=OutgoingState.FAILED).pk


def erasing(message: Message) -> int:
    owner = message.account.owner
    return forgetting.begin(["nobody@nowhere.test"], why=Why.BLOCKED, asked_by=owner, owner=owner).pk


def mailbox(message: Message) -> int:
    return message.account_id


DOORS = {
    "contacts": Door(opens=None, key=nothing),
    "contact": Door(opens=None, key=contact),
    "company": Door(opens=None, key=company),
    "inbox": Door(opens=None, key=nothing),
    "mailaccounts:compose": Door(opens=None, key=nothing),
    "mailaccounts:drafts": Door(opens=None, key=nothing),
    "mailaccounts:outbox": Door(opens=None, key=nothing),
    "mailaccounts:thread": Door(opens=Access.SUBJECT, key=lambda message: message.thread_id, glass=True),
    "mailaccounts:mark": Door(opens=Access.OWN, key=lambda message: message.thread_id, posts={"act": "flag"}),
    "mailaccounts:body": Door(opens=Access.READ, page=False, glass=True),
    "mailaccounts:attachment": Door(opens=Access.READ, key=attachment, page=False, glass=True),
    "mailaccounts:reply": Door(opens=Access.READ, posts={}),
    "mailaccounts:reply_all": Door(opens=Access.READ, posts={}),
    "mailaccounts:forward": Door(opens=Access.READ, posts={}),
    "mailaccounts:show_message": Door(opens=Access.OWN, posts={"shown": Shown.REVEALED}),
    "mailaccounts:draft": Door(opens=Access.OWN, key=draft),
    "mailaccounts:outgoing": Door(opens=Access.OWN, key=outgoing, posts={"do": "discard"}),
    "mailaccounts:erasing": Door(opens=Access.OWN, key=erasing),
    "mailaccounts:opened": Door(opens=NOBODY, key=mailbox, glass=True),
    "mailaccounts:open_mail": Door(opens=NOBODY, key=mailbox, glass=True),
    "mailaccounts:close_mail": Door(opens=NOBODY, key=mailbox, posts={}, glass=True),
}
PAGES_OF_OWNERS = [name for name, door in DOORS.items() if door.posts is None and door.page and door.opens != NOBODY]
PICTURE = "mailaccounts:picture"  # more in tests/app/test_pictures.py
INBOX = {"inbox_act", "inbox_undo", "inbox_dismiss"}  # name what they are about in what is POSTed
WITHOUT_MAIL = {
    *("home", "contact_add", "contact_edit", "contact_remove", "contact_looking"),
    "left_behind",
    *("company_edit", "company_remove", "company_looking"),
    *("mailaccounts:healthz", "mailaccounts:readyz", "mailaccounts:metrics"),  # for machines
}


@pytest.fixture
def message() -> Message:
    """A letter of a contact's in the mailbox of somebody who can answer it."""
    account = make_credential().account
    make_contact("maria@c.test", company=make_company("c.test"))
    html = f'<p>{BODY} <img data-src="cid:picture"></p>'
    stored = store_message(
        account, sender="maria@c.test", to=account.address, subject=SUBJECT, body_text=BODY, body_html=html
    )
    stored.attachments.create(position=0, name=FILE, content_type="image/png", size=9, content_id="picture")
    return stored


@pytest.fixture(autouse=True)
def _mail_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is attached is a picture, and there without a mail server."""
    monkeypatch.setattr(attached, "read", lambda found: (piece for piece in [b"\x89PNG\r\n\x1a\n" + BODY.encode()]))


@pytest.fixture
def colleague(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Somebody with whom the host shares mailboxes, as it does with nobody else."""
    user = make_user("colleague")
    make_credential(make_account(user))
    monkeypatch.setattr(CrmHooks, "shares_with", lambda self, other: Q() if other.pk == user.pk else Q(pk__in=()))
    return user


def test_every_address_that_may_show_mail_is_walked() -> None:
    elsewhere = ("/settings/", "/oauth/")  # tests/app/test_pages_access.py
    found = {name for name, address in addresses() if not address.startswith(elsewhere)}
    assert found == DOORS.keys() | WITHOUT_MAIL | INBOX | {PICTURE}, "enter it above: who may open it?"


@pytest.mark.parametrize("name", DOORS)
def test_a_door_opens_to_whom_the_owner_lets_see_as_much_and_to_nobody_else(
    client: Client, message: Message, colleague: Any, name: str
) -> None:
    door, stranger = DOORS[name], make_user("stranger")
    for visibility, shown, access in SHOWS:
        message.account.visibility = visibility
        message.account.save()
        Message.objects.update(shown=shown)
        for user, may_see in ((colleague, access), (stranger, None), (message.account.owner, Access.OWN)):
            client.force_login(user)
            told = f"{user} of {visibility} {shown}"
            Outgoing.objects.all().delete()
            response = knock(client, name, message)
            is_open = door.opens is None or (may_see is not None and may_see >= door.opens)
            assert (response.status_code != 404) == is_open, told
            if not is_open:
                message.refresh_from_db()
                assert message.shown == shown, told
                assert not Outgoing.objects.filter(author=user).exists(), told
            page = content(response)
            if user != message.account.owner:
                assert may_see is not None or SUBJECT not in page, told
                assert may_see == Access.READ or not {BODY, FILE} & set(re.findall(f"{BODY}|{FILE}", page)), told
            Message.objects.update(shown=shown)


def test_a_mailbox_that_was_handed_over_opens_to_its_heir_what_it_did_before(
    client: Client, message: Message, colleague: Any
) -> None:
    handed = MailAccount.objects.filter(pk=message.account_id)
    client.force_login(colleague)
    for visibility, shown, access in SHOWS:
        for name, door in DOORS.items():
            handed.update(
                owner=colleague, visibility=visibility, handed_over_at=message.received_at, status="disconnected"
            )
            Message.objects.update(shown=shown)
            Outgoing.objects.all().delete()
            response = knock(client, name, message)
            is_open = door.opens is None or (access is not None and access >= door.opens)
            assert (response.status_code != 404) == is_open, f"{name} of {visibility} {shown}"
            page = content(response)
            assert access is not None or SUBJECT not in page, name
            assert access == Access.READ or not {BODY, FILE} & set(re.findall(f"{BODY}|{FILE}", page)), name


@pytest.mark.parametrize(("visibility", "shown", "access"), SHOWS)
def test_a_picture_is_shown_to_whoever_may_read_its_message_still_and_at_no_address_of_ones_own_making(
    client: Client, message: Message, colleague: Any, visibility: str, shown: str, access: Access | None
) -> None:
    message.account.visibility, message.shown = visibility, shown
    message.account.save()
    message.save()
    for user, may_see in ((colleague, access), (make_user("stranger"), None), (message.account.owner, Access.OWN)):
        name = pictures.sign(message, user=user, number=0)
        response = client.get(reverse(PICTURE, args=[name]))
        may_read = may_see is not None and may_see >= Access.READ
        assert response.status_code == (200 if may_read else 404)
        assert response.headers.get("Content-Type") == "image/png" or not may_read
        assert client.get(reverse(PICTURE, args=[name[:-1]])).status_code == 404


@pytest.mark.parametrize("state", ["not opened", "open", "expired", "ended", "permission taken away", "deactivated"])
@pytest.mark.parametrize("shown", [Shown.AS_ACCOUNT, Shown.HIDDEN])
def test_staff_with_a_reason_read_what_the_owner_does_for_that_while_and_do_nothing_with_it(
    client: Client, message: Message, state: str, shown: str
) -> None:
    Message.objects.update(shown=shown)
    staff = make_staff("staff", "open_mail")
    make_credential(make_account(staff))
    client.force_login(staff)
    if state != "not opened":
        opening = break_glass.open_mail(message.account, viewer=staff, reason="A mail is missing", minutes=15)
        if state == "expired":
            BreakGlass.objects.update(until=timezone.now())
        if state == "ended":
            break_glass.end([opening], actor=staff)
        if state == "permission taken away":
            staff.user_permissions.clear()
        if state == "deactivated":
            type(staff).objects.update(is_active=False)
    is_open = state == "open"
    may_open = state not in {"permission taken away", "deactivated"}
    picture = reverse(PICTURE, args=[pictures.sign(message, user=staff, number=0)])
    assert client.get(picture).status_code == (200 if is_open else 404)
    page = content(client.get(reverse("inbox"), {"q": BODY, "folder": "all"}))
    assert f"/mail/{message.thread_id}/" not in page
    for name, door in sorted(DOORS.items(), key=lambda each: each[0] == "mailaccounts:close_mail"):
        response, told = knock(client, name, message), f"{name} {state}"
        page = content(response)
        if state == "deactivated":
            assert response.status_code == 302, told
            assert response["Location"].startswith("/accounts/login/"), told
        elif name in {"mailaccounts:opened", "mailaccounts:open_mail"}:
            leads_on = (name == "mailaccounts:opened") != is_open
            assert response.status_code == ((302 if leads_on else 200) if may_open else 404), told
        else:
            assert (response.status_code != 404) == (door.opens is None or (is_open and door.glass)), told
        sees = is_open and door.glass and response.status_code == 200
        assert (SUBJECT in page or BODY in page) == sees, told
        assert not any(f"/{each}/" in page for each in ("mark", "reply", "forward", "show")), told
    assert not Outgoing.objects.filter(author=staff).exists()
    assert client.get(picture).status_code != 200
    whys = Look.objects.filter(viewer=staff).values_list("why", flat=True)
    read = {LISTED, "Read the conversation", "Opened an attachment"}
    assert sorted(whys) == (sorted(read) if is_open else [])


@pytest.mark.parametrize(("visibility", "shown", "access"), SHOWS)
def test_a_search_of_the_inbox_finds_ones_own_mail_only(
    client: Client, message: Message, colleague: Any, visibility: str, shown: str, access: Access | None
) -> None:
    message.account.visibility, message.shown = visibility, shown
    message.account.save()
    message.save()
    for user in (colleague, make_user("stranger"), message.account.owner):
        client.force_login(user)
        for words in (SUBJECT, BODY):
            page = content(client.get(reverse("inbox"), {"q": words, "folder": "all"}))
            assert (f"/mail/{message.thread_id}/" in page) == (user == message.account.owner), f"{user} {words}"


@pytest.mark.parametrize(("visibility", "shown", "access"), SHOWS)
def test_what_is_done_in_an_inbox_is_done_and_taken_back_by_its_owner_only(
    client: Client, message: Message, colleague: Any, visibility: str, shown: str, access: Access | None
) -> None:
    message.account.visibility, message.shown = visibility, shown
    message.account.save()
    message.save()
    place = message.uids.get()
    others = (colleague, make_user("stranger"))
    for user in (*others, message.account.owner):
        client.force_login(user)
        client.post(reverse("inbox_act"), {"thread": message.thread_id, "act": "read"})
        place.refresh_from_db()
        assert place.seen == (user == message.account.owner)
    action = MailAction.objects.get()
    MailAction.objects.update(state=ActionState.REFUSED)
    for user in (*others, message.account.owner):
        client.force_login(user)
        client.post(reverse("inbox_dismiss"), {"action": action.pk})
        action.refresh_from_db()
        assert action.dismissed == (user == message.account.owner)
    MailAction.objects.update(state=ActionState.DONE)
    for user in (*others, message.account.owner):
        client.force_login(user)
        client.post(reverse("inbox_undo", args=[action.request]))
        action.refresh_from_db()
        assert action.undone == (user == message.account.owner)


@pytest.mark.parametrize("name", DOORS)
def test_a_door_is_closed_to_whoever_is_not_signed_in(client: Client, message: Message, name: str) -> None:
    message.account.visibility = Visibility.EVERYTHING
    message.account.save()
    response = knock(client, name, message)
    assert response.status_code == 302
    assert response["Location"].startswith("/accounts/login/")


@pytest.mark.parametrize("name", PAGES_OF_OWNERS)
def test_a_page_with_mail_has_no_inline_script_or_style(client: Client, message: Message, name: str) -> None:
    client.force_login(message.account.owner)
    response = knock(client, name, message)
    page = content(response)
    assert response.status_code == 200
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=|javascript:|https?://(?!testserver)", page)
    assert "no-store" in response.get("Cache-Control", "") or name == "contacts"


def knock(client: Client, name: str, message: Message) -> Any:
    door = DOORS[name]
    key = door.key(message)
    address = reverse(name, args=[] if key is None else [key])
    return client.get(address) if door.posts is None else client.post(address, door.posts)


def content(response: Any) -> str:
    whole: bytes = b"".join(response.streaming_content) if response.streaming else response.content
    return whole.decode(errors="replace")
