"""A mailbox that was handed over: its heir sees who looks at its mail since it is theirs, and is told who opens it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from django.core import mail
from django.urls import reverse

from mailaccounts import tasks
from mailaccounts.models import AuditAction, AuditEntry, BreakGlass, Look, MailAccount, Message, Visibility
from mailaccounts.services.connecting import handing_over
from mailaccounts.services.connecting.disconnect import Reason, cut
from mailaccounts.services.people import acquaintances, forgetting, privacy
from mailaccounts.services.telling import needs
from mailaccounts.services.trail import break_glass, looks
from tests.app.builders import make_account, make_user
from tests.app.staff import make_staff
from tests.crm.builders import make_contact, store_message
from tests.letters import CONTACT

if TYPE_CHECKING:
    from django.test import Client

pytestmark = pytest.mark.django_db(transaction=True)

BEFORE, SINCE = "Leaver is ill and a deadline passes", "A customer disputes the invoice"


@pytest.fixture
def heir() -> Any:
    heir = make_user("heir")
    heir.email = "heir@work.test"
    heir.save()
    return heir


@pytest.fixture
def jo() -> Any:
    return make_staff("jo", "open_mail")


@pytest.fixture
def account() -> MailAccount:
    """Leaver's, with one message that colleagues may read."""
    account = make_account(make_user("leaver"), "leaver@here.test", visibility=Visibility.EVERYTHING)
    store_message(account, sender=CONTACT, to=account.address, subject="Invoice 7")
    return account


def hand_over(account: MailAccount, heir: Any) -> None:
    type(account.owner).objects.filter(pk=account.owner_id).update(is_active=False)
    cut(account.pk, reason=Reason.DEACTIVATED)
    assert handing_over.begin(account.pk, heir=heir)
    tasks.hand_over(account.pk)
    account.refresh_from_db()
    assert account.owner == heir


def open_mail(account: MailAccount, viewer: Any, reason: str) -> BreakGlass:
    return break_glass.open_mail(account, viewer=viewer, reason=reason, minutes=15)


def ledger(client: Client, account: MailAccount, user: Any) -> Any:
    client.force_login(user)
    return client.get(reverse("mailaccounts:ledger", args=[account.pk]))


def test_the_heir_sees_who_looked_since_and_nothing_of_what_was_before(
    account: MailAccount, heir: Any, jo: Any, client: Client
) -> None:
    message = Message.objects.get()
    looks.note(message, viewer=make_user("early"), why="Read the conversation")
    looks.note(message, viewer=heir, why="Read the conversation")
    open_mail(account, jo, BEFORE)
    looks.note(message, viewer=jo, why="Read the conversation")
    hand_over(account, heir)
    empty = ledger(client, account, heir).content.decode()
    assert "Nobody but you has read a message of this mailbox here since it was handed over to you." in empty
    message.refresh_from_db()
    looks.note(message, viewer=make_user("late"), why="Read the conversation")
    open_mail(account, jo, SINCE)
    looks.note(message, viewer=jo, why="Read the conversation")
    looks.note(message, viewer=heir, why="Read the conversation")
    page = ledger(client, account, heir).content.decode()
    for word in ("handed over to you from leaver", "late", "jo", SINCE, "Invoice 7"):
        assert word in page, word
    for word in ("early", BEFORE, "What became of each message", "Examined"):
        assert word not in page, word
    assert Look.objects.filter(at__gte=account.handed_over_at).count() == 2  # none of the heir's own
    listed = client.get(reverse("mailaccounts:accounts")).content.decode()
    assert reverse("mailaccounts:ledger", args=[account.pk]) in listed


@pytest.mark.parametrize("who", ["colleague", "former owner", "staff", "superuser"])
def test_nobody_else_has_a_ledger_of_it(account: MailAccount, heir: Any, jo: Any, client: Client, who: str) -> None:
    leaver = account.owner
    hand_over(account, heir)
    open_mail(account, jo, SINCE)
    if who == "former owner":  # who is back
        leaver.is_active = True
        leaver.save()
    boss = make_user("boss")
    boss.is_staff = boss.is_superuser = True
    boss.save()
    user = {"colleague": make_user("colleague"), "former owner": leaver, "staff": jo, "superuser": boss}[who]
    assert ledger(client, account, user).status_code == 404
    page = client.get(reverse("mailaccounts:accounts")).content.decode()
    assert account.address not in page
    assert SINCE not in page
    assert needs.of_user(user) == []
    assert ledger(client, account, heir).status_code == 200


def test_the_next_heir_sees_nothing_of_what_the_heir_before_saw(
    account: MailAccount, heir: Any, jo: Any, client: Client
) -> None:
    hand_over(account, heir)
    open_mail(account, jo, SINCE)
    looks.note(Message.objects.get(), viewer=jo, why="Read the conversation")
    second = make_user("second")
    account.refresh_from_db()
    hand_over(account, second)
    page = ledger(client, account, second).content.decode()
    assert "from heir" in page
    assert SINCE not in page
    assert ledger(client, account, heir).status_code == 302  # who can't sign in any more


def test_the_heir_is_told_who_opens_it_by_mail_and_on_every_page(
    account: MailAccount, heir: Any, jo: Any, client: Client, settings: Any
) -> None:
    settings.MAILACCOUNTS = {**settings.MAILACCOUNTS, "SITE_URL": "https://crm.test"}
    hand_over(account, heir)
    opening = open_mail(account, jo, SINCE)
    tasks.tell_opened(opening.pk)
    letter = mail.outbox[-1]
    assert letter.to == ["heir@work.test"]
    there = reverse("mailaccounts:ledger", args=[account.pk])
    for word in ("handed over to you from leaver", SINCE, f"https://crm.test{there}"):
        assert word in letter.body, word
    need = needs.of_user(heir)[0]
    assert (need.subject.startswith("jo may look at the mail of leaver@here.test"), need.path) == (True, there)
    client.force_login(heir)
    assert SINCE in client.get(reverse("contacts")).content.decode()
    break_glass.end([opening], actor=jo)
    assert needs.of_user(heir) == []


def test_what_was_opened_before_ends_with_the_handing_over_and_the_heir_is_not_told_of_it(
    account: MailAccount, heir: Any, jo: Any
) -> None:
    opening = open_mail(account, jo, BEFORE)
    hand_over(account, heir)
    opening.refresh_from_db()
    assert not opening.lasts
    closed = AuditEntry.objects.get(action=AuditAction.CLOSED)
    assert (closed.actor, closed.owner.username) == (None, "leaver")
    assert not break_glass.tell(opening.pk)
    assert break_glass.tell_due() == 0
    assert mail.outbox == []
    assert needs.of_user(heir) == []
    assert open_mail(account, jo, SINCE).pk != opening.pk


def test_whom_an_heir_blocks_is_blocked_in_their_own_mailboxes_alone(account: MailAccount, heir: Any) -> None:
    hand_over(account, heir)
    own = make_account(heir)
    store_message(own, sender=CONTACT, to=own.address)
    blocked = privacy.block(heir, CONTACT)
    assert privacy.stored_with(blocked).messages == 1
    assert forgetting.go_on(privacy.erase_blocked(blocked).pk)
    assert Message.objects.get().account == account
    make_contact(CONTACT)
    assert acquaintances.ask(account, {CONTACT}).known
    assert not acquaintances.ask(own, {CONTACT}).known
