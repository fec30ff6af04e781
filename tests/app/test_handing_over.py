"""The mail of somebody who left goes to a colleague as far as colleagues could see it; the rest is erased."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from django.db.models import Q
from django.urls import reverse
from django.utils import timezone

from mailaccounts import selectors, tasks
from mailaccounts.admin import off_boarding
from mailaccounts.crypto import Secret
from mailaccounts.errors import AccountChanged
from mailaccounts.hooks import Hooks
from mailaccounts.mail.types import FolderState
from mailaccounts.models import AccountStatus, Folder, MailAccount, Message, Outgoing, Role, Shown, Visibility
from mailaccounts.selectors import Access
from mailaccounts.services.connecting import connect, handing_over
from mailaccounts.services.connecting.disconnect import Reason, cut
from mailaccounts.services.connecting.receipt import Receipt
from mailaccounts.services.limits import lease
from mailaccounts.services.signing_in.login import Proof
from mailaccounts.services.storing import removal
from tests.app.builders import make_account, make_credential, make_outgoing, make_user
from tests.app.staff import make_staff
from tests.crm.builders import store_message
from tests.letters import CONTACT

if TYPE_CHECKING:
    from django.test import Client

pytestmark = pytest.mark.django_db(transaction=True)

ADMIN = "/admin/mailaccounts/mailaccount/"


@pytest.fixture
def heir() -> Any:
    return make_user("heir")


@pytest.fixture
def account() -> MailAccount:
    """Of somebody who may not sign in any more: one message as the mailbox shows them, one hidden, one revealed."""
    account = make_credential(make_account(make_user("leaver"), address="leaver@here.test")).account
    for shown in (Shown.AS_ACCOUNT, Shown.HIDDEN, Shown.REVEALED):
        message = store_message(account, sender=CONTACT, to=account.address, body_text=f"says {shown}", has_body=True)
        Message.objects.filter(pk=message.pk).update(shown=shown, subject=shown or "usual")
        message.attachments.create(position=0, name=f"{shown}.pdf", content_type="application/pdf", size=1)
    Folder.objects.create(account=account, name="Private things", uidvalidity=1)
    make_outgoing(account)
    return account


def leave(account: MailAccount) -> None:
    type(account.owner).objects.filter(pk=account.owner_id).update(is_active=False)
    account.owner.refresh_from_db()
    cut(account.pk, reason=Reason.DEACTIVATED)
    account.refresh_from_db()


@pytest.mark.parametrize(
    ("visibility", "left"),
    [
        (Visibility.OWNER, {"revealed": Access.READ}),
        (Visibility.SUBJECT, {"usual": Access.SUBJECT, "revealed": Access.READ}),
        (Visibility.EVERYTHING, {"usual": Access.READ, "revealed": Access.READ}),
    ],
)
def test_the_heir_sees_what_colleagues_saw_and_nothing_else_is_left(
    account: MailAccount, heir: Any, client: Client, visibility: Visibility, left: dict[str, Access]
) -> None:
    MailAccount.objects.update(visibility=visibility)
    leave(account)
    departed = account.owner
    before = selectors.access_to(Message.objects.all(), heir)
    assert handing_over.begin(account.pk, heir=heir, actor=make_user("boss"))
    tasks.hand_over(account.pk)
    account.refresh_from_db()
    assert (account.owner, account.status, account.status_code) == (heir, AccountStatus.DISCONNECTED, "")
    assert selectors.access_to(Message.objects.all(), heir) == before
    assert {each.subject: before[each.pk] for each in Message.objects.all()} == left
    for message in Message.objects.all():
        assert (message.body_text != "", message.attachments.exists()) == (left[message.subject] == Access.READ,) * 2
    assert not Outgoing.objects.exists()
    assert "Private things" not in Folder.objects.values_list("name", flat=True)
    assert not selectors.own_messages(heir).exists() and not selectors.senders_for(heir).exists()
    assert not selectors.messages_for(departed).exclude(pk__in=before).exists()
    receipt = Receipt.of(selectors.receipts_for(departed).get())
    readable = sum(each == Access.READ for each in left.values())
    assert receipt.verdict == "valid"
    assert receipt.handed is not None
    assert (receipt.handed.to, receipt.handed.by, receipt.handed.messages) == ("heir", "boss", readable)
    assert (receipt.handed.subject_only, receipt.handed.erased) == (len(left) - readable, 3 - len(left))
    client.force_login(heir)
    page = client.get(reverse("mailaccounts:accounts")).content.decode()
    assert "Handed over from leaver" in page
    for name in ("account", "privacy", "keeping", "reconnect", "disconnect"):
        assert client.get(reverse(f"mailaccounts:{name}", args=[account.pk])).status_code == 404, name
    make_account(heir, address=account.address)


def test_whoever_was_about_to_reconnect_it_doesnt_any_more(
    account: MailAccount, heir: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    leave(account)

    def is_handed_over_meanwhile(**_: Any) -> Proof:
        assert handing_over.begin(account.pk, heir=heir)
        tasks.hand_over(account.pk)
        inbox = FolderState(uidvalidity=1, uidnext=1, exists=0)
        return Proof(at=timezone.now(), capabilities=frozenset(), inbox=inbox, smtp=True)

    monkeypatch.setattr(connect, "verify", is_handed_over_meanwhile)  # which takes a while
    as_it_was = MailAccount.objects.get()
    with pytest.raises(AccountChanged):
        connect.reconnect(as_it_was, backend="password", username="", secret=Secret("typed"))
    account.refresh_from_db()
    assert (account.owner, account.status) == (heir, AccountStatus.DISCONNECTED)
    assert not account.credentials.exists()


def test_nothing_names_whom_a_message_went_to_unseen(account: MailAccount, heir: Any) -> None:
    MailAccount.objects.update(visibility=Visibility.EVERYTHING)
    message = Message.objects.get(subject="usual")
    message.participants.create(role=Role.BCC, position=0, name="Silent", address="silent@x.test")
    Message.objects.filter(pk=message.pk).update(people=f"{CONTACT}\nSilent silent@x.test")
    leave(account)
    assert handing_over.begin(account.pk, heir=heir)
    tasks.hand_over(account.pk)
    message.refresh_from_db()
    assert not message.participants.filter(role=Role.BCC).exists()
    assert CONTACT in message.people and "silent" not in message.people.lower()


def test_what_nobody_else_could_see_is_erased_with_its_account(account: MailAccount, heir: Any) -> None:
    Message.objects.update(shown=Shown.AS_ACCOUNT)
    leave(account)
    owners = type(account.owner).objects.filter(pk=account.owner_id)
    owners.update(is_active=True)
    assert not handing_over.begin(account.pk, heir=heir)  # its owner came back a moment ago
    owners.update(is_active=False)
    assert handing_over.begin(account.pk, heir=heir)
    tasks.erase(account.pk)
    assert not MailAccount.objects.exists()
    assert Receipt.of(selectors.receipts_for(account.owner)[0]).erased_at is not None


def test_a_worker_that_is_lost_is_followed_by_another_and_two_are_never_at_it(
    account: MailAccount, heir: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(removal, "MESSAGES", 1)
    leave(account)
    handing_over.begin(account.pk, heir=heir)
    assert not handing_over.hand_over(account.pk, seconds=-1)
    assert Message.objects.count() == 2
    account.refresh_from_db()
    assert account.owner != heir
    held = lease.claim(account, state=lease.BEING_HANDED_OVER)
    assert held is not None
    assert not handing_over.hand_over(account.pk)
    lease.release(held)
    tasks.tick()
    tasks.hand_over(account.pk)
    account.refresh_from_db()
    assert (account.owner, Message.objects.count()) == (heir, 1)


@pytest.mark.parametrize("who", ["leaver comes back", "heir leaves"])
def test_it_ends_where_it_is_when_the_owner_comes_back_or_the_heir_leaves_too(
    account: MailAccount, heir: Any, monkeypatch: pytest.MonkeyPatch, who: str
) -> None:
    monkeypatch.setattr(removal, "MESSAGES", 1)
    leave(account)
    handing_over.begin(account.pk, heir=heir)
    handing_over.hand_over(account.pk, seconds=-1)
    changed = account.owner if who == "leaver comes back" else heir
    changed.is_active = changed is not heir
    changed.save()
    tasks.hand_over(account.pk)
    now = MailAccount.objects.get()
    assert (now.owner, now.status_code, now.heir, now.next_sync_at) == (account.owner, "", None, None)
    assert Message.objects.count() == 2
    assert Receipt.of(selectors.receipts_for(account.owner).get()).handed is None


class Inheriting(Hooks):
    """A host that says who comes after whom."""

    def heir_of(self, account: MailAccount) -> Any:
        return make_user("successor")

    def shares_with(self, user: Any) -> Q:
        return Q()


class Broken(Inheriting):
    def heir_of(self, account: MailAccount) -> Any:
        raise RuntimeError


class Unsure(Inheriting):
    def shares_with(self, user: Any) -> Q:
        raise RuntimeError


@pytest.mark.parametrize(
    ("mail", "hooks", "left"),
    [
        ("keep", Inheriting, "leaver"),
        ("hand_over", Inheriting, "successor"),
        ("hand_over", Broken, "leaver"),
        ("hand_over", Unsure, "leaver"),
    ],
)
def test_the_host_says_what_becomes_of_the_mail_of_whoever_is_deactivated(
    account: MailAccount, settings: Any, mail: str, hooks: type, left: str
) -> None:
    path = f"{__name__}.{hooks.__name__}"
    settings.MAILACCOUNTS = {**settings.MAILACCOUNTS, "DEPARTED_MAIL": mail, "HOOKS": path}
    account.owner.is_active = False
    account.owner.save()
    tasks.hand_over(account.pk)
    now = MailAccount.objects.get()
    assert (now.owner.username, now.status) == (left, AccountStatus.DISCONNECTED)
    assert not now.credentials.exists()


def test_or_that_it_is_erased(account: MailAccount, settings: Any) -> None:
    settings.MAILACCOUNTS = {**settings.MAILACCOUNTS, "DEPARTED_MAIL": "erase"}
    account.owner.is_active = False
    account.owner.save()
    tasks.tick()
    tasks.erase(account.pk)
    assert not MailAccount.objects.exists()


# --- by hand ---------------------------------------------------------------------------------------------------


class _ComesBack(off_boarding.Row):
    """The owner is active again as soon as the page has looked."""

    @classmethod
    def of(cls, account: MailAccount, heir: Any = None) -> Any:
        row = super().of(account, heir)
        type(account.owner).objects.filter(pk=account.owner_id).update(is_active=True)
        return row


class _HandedOver(off_boarding.Row):
    """Another of the staff hands it over as soon as the page has looked."""

    @classmethod
    def of(cls, account: MailAccount, heir: Any = None) -> Any:
        row = super().of(account, heir)
        assert handing_over.begin(account.pk, heir=make_user("chosen before"))
        return row


@pytest.mark.parametrize("do", ["erase", "hand_over"])
def test_of_two_who_decide_otherwise_at_the_same_moment_the_first_has_it(
    account: MailAccount, heir: Any, client: Client, monkeypatch: pytest.MonkeyPatch, do: str
) -> None:
    leave(account)
    client.force_login(make_staff("officer", "view_mailaccount", "off_board_mailaccount"))
    monkeypatch.setattr(off_boarding, "Row", _HandedOver)
    data = {"do": do, "heir": "heir", "sure": "on"}
    said = client.post(f"{ADMIN}off-board/?account={account.pk}", data, follow=True).content.decode()
    assert "it was changed a moment ago" in said
    tasks.hand_over(account.pk)
    assert MailAccount.objects.get().owner.get_username() == "chosen before"


def test_staff_with_the_permission_see_figures_first_and_off_board(
    account: MailAccount, heir: Any, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    MailAccount.objects.update(visibility=Visibility.EVERYTHING)
    page = f"{ADMIN}off-board/?account={account.pk}"
    client.force_login(make_staff("support", "view_mailaccount", "operate_mailaccount"))
    assert client.get(page).status_code == client.post(page, {"do": "erase", "sure": "on"}).status_code == 403
    client.force_login(make_staff("officer", "view_mailaccount", "off_board_mailaccount"))
    assert "Left alone: Its owner isn&#x27;t deactivated." in client.get(page).content.decode()
    client.post(page, {"do": "erase", "sure": "on"})
    assert Message.objects.count() == 3
    leave(account)
    chosen = client.post(ADMIN, {"action": "off_board", "_selected_action": [account.pk]})
    assert chosen["Location"] == page
    shown = client.get(page).content.decode()
    assert '<td class="number">2</td><td class="number">0</td><td class="number">1</td>' in shown
    for data in ({"do": "hand_over", "sure": "on"}, {"do": "hand_over", "heir": "heir"}, {"do": "erase"}):
        assert client.post(page, data).status_code == 200
    assert client.post(page, {"do": "hand_over", "heir": "nobody", "sure": "on"}).status_code == 200
    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(off_boarding, "Row", _ComesBack)
        for do in ("erase", "hand_over"):
            leave(account)
            assert client.post(page, {"do": do, "heir": "heir", "sure": "on"}).status_code == 302
    leave(account)
    assert MailAccount.objects.get().status_code == ""
    assert client.post(page, {"do": "hand_over", "heir": "heir", "sure": "on"}).status_code == 302
    tasks.hand_over(account.pk)
    assert MailAccount.objects.get().owner == heir
    heir.is_active = False
    heir.save()
    assert client.post(page, {"do": "erase", "sure": "on"}).status_code == 302
    tasks.erase(account.pk)
    assert not MailAccount.objects.exists()
    assert selectors.receipts().count() == 2


def test_whoever_off_boards_is_told_what_will_happen_and_sees_the_receipts_of_those_who_left_only(
    account: MailAccount, heir: Any, client: Client
) -> None:
    stays = make_credential(make_account(address="stays@here.test")).account
    cut(stays.pk, reason=Reason.ASKED)
    leave(account)
    client.force_login(make_staff("officer", "view_mailaccount", "off_board_mailaccount"))
    page = f"{ADMIN}off-board/?account={account.pk}&account={stays.pk}&account=x"
    asked = client.post(page, {"do": "hand_over", "heir": "heir"}).content.decode()
    assert "<strong>1 message</strong> goes to <strong>heir</strong>" in asked
    assert "<strong>2 private messages</strong> are erased" in asked
    assert "Tick the box" in client.post(page, {"do": "erase", "confirming": "1"}).content.decode()
    done = client.post(page, {"do": "hand_over", "heir": "heir", "sure": "on"}, follow=True)
    assert "The mail of 1 account is being handed over to heir." in done.content.decode()
    assert "Being handed over to heir" in done.content.decode()
    tasks.hand_over(account.pk)
    receipts = client.get(f"{ADMIN}off-board/receipts/?account={account.pk}&account={stays.pk}").content.decode()
    assert "1 message handed over to heir by officer" in receipts
    assert "stays@here.test" not in receipts
    for address, status in ((account.address, 200), (stays.address, 404)):
        number = selectors.receipts().get(address=address).pk
        assert client.get(f"{ADMIN}off-board/receipt.json?number={number}").status_code == status
    assert client.get(f"{ADMIN}off-board/receipt.json?number=x").status_code == 404


def test_a_mailbox_that_isnt_shared_with_the_heir_named_is_left_alone_and_that_is_said_first(
    account: MailAccount, heir: Any, client: Client, settings: Any
) -> None:
    leave(account)
    settings.MAILACCOUNTS = {**settings.MAILACCOUNTS, "HOOKS": "mailaccounts.hooks.Hooks"}  # it shares nothing
    client.force_login(make_staff("officer", "view_mailaccount", "off_board_mailaccount"))
    for sure in ({}, {"sure": "on"}):
        said = client.post(f"{ADMIN}off-board/?account={account.pk}", {"do": "hand_over", "heir": "heir", **sure})
        assert "Nothing would happen." in said.content.decode()
        assert "isn&#x27;t shared with this user" in said.content.decode()
    assert Message.objects.count() == 3
