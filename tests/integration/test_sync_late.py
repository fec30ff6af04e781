"""Mail of the past with people who become known later: it is found, and nobody else's is fetched."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from django.utils import timezone

from crm.contacts import save_contact, set_domains
from mailaccounts.errors import ProtocolFault
from mailaccounts.mail.imap import ImapSession
from mailaccounts.models import DirectoryChange, Tally
from mailaccounts.services.checking.compare import compare_account
from mailaccounts.services.people import directory
from mailaccounts.services.syncing import round as rounds
from mailaccounts.services.syncing.sync import sync_account
from tests.app.builders import make_account
from tests.crm.builders import make_company
from tests.integration.mailboxes import stored_ids
from tests.letters import COLLEAGUE, CONTACT, STRANGER, letter

if TYPE_CHECKING:
    from pytest_django.fixtures import SettingsWrapper

    from mailaccounts.models import MailAccount
    from tests.integration.gmail_mailbox import GmailMailbox
    from tests.sandbox_fixtures import SandboxMailbox

ME = "me@sandbox.test"


@pytest.fixture
def read(account: MailAccount, mailbox: SandboxMailbox) -> MailAccount:
    """An account whose mail was gone through when nobody in it was known."""
    mailbox.append(letter(CONTACT, message_id="from@x"))
    mailbox.append(letter("Maria <Maria+News@Customer.Test>", message_id="tagged@x"))
    mailbox.append(letter(COLLEAGUE, message_id="asked@x"))
    mailbox.append(letter(ME, f"{STRANGER}, {CONTACT}", message_id="to@x", answers=["asked@x"]), "Sent")
    mailbox.append(letter(STRANGER, message_id="offer@x"))
    mailbox.append(letter("maria@elsewhere.test", message_id="another@x"))
    mailbox.append(letter("jim@customer.test", message_id="jim@x"), "Projects")
    assert sync_account(account.pk).finished
    assert stored_ids(account) == []
    account.refresh_from_db()
    return account


def test_mail_of_the_past_with_a_new_contact_is_found_with_its_conversations_and_nothing_else(
    read: MailAccount, mailbox: SandboxMailbox
) -> None:
    through_a_list = letter(STRANGER, message_id="list@x").replace(b"To:", b"Reply-To: Maria@Customer.Test\r\nTo:", 1)
    mailbox.append(through_a_list)
    assert sync_account(read.pk).finished
    save_contact(name="Maria", addresses=[CONTACT])
    assert sync_account(read.pk).finished
    assert stored_ids(read) == ["asked@x", "from@x", "list@x", "tagged@x", "to@x"]
    commands = [command for log in mailbox.rawlogs() for command in log.commands]
    bodies = [command for command in commands if "BODY.PEEK[]" in command or "BODY.PEEK[1" in command]
    assert sum(len(re.findall(r"\d+", each.split("FETCH ")[1].split(" ")[0])) for each in bodies) == 5


def test_once_it_was_looked_for_nobody_is_looked_for_again(
    read: MailAccount, mailbox: SandboxMailbox, django_assert_num_queries: Any
) -> None:
    save_contact(name="Maria", addresses=[CONTACT])
    sync_account(read.pk)
    with django_assert_num_queries(6):
        assert sync_account(read.pk).finished
    assert not [each for each in mailbox.rawlogs()[-1].commands if "FROM " in each]


def test_a_companys_domain_is_looked_for_as_well(read: MailAccount) -> None:
    set_domains(make_company(), ["customer.test"])
    assert sync_account(read.pk).finished
    assert stored_ids(read) == ["asked@x", "from@x", "jim@x", "tagged@x", "to@x"]


def test_a_domain_that_mail_has_in_unicode_is_found_as_well(read: MailAccount, mailbox: SandboxMailbox) -> None:
    for number, written in enumerate(
        ("jo@bücher.test", "Jo+News@BÜCHER.test", "jo@xn--bcher-kva.test", "jo@bucher.test")
    ):
        raw = letter(STRANGER, message_id=f"{number}@x").replace(STRANGER.encode(), written.encode())
        mailbox.append(raw)
    assert sync_account(read.pk).finished
    assert stored_ids(read) == []
    save_contact(name="Jo", addresses=["jo@bücher.test"])
    assert sync_account(read.pk).finished
    assert stored_ids(read) == ["0@x", "1@x", "2@x"]


def test_what_was_answered_among_colleagues_since_is_found_too(read: MailAccount, mailbox: SandboxMailbox) -> None:
    mailbox.append(letter(COLLEAGUE, message_id="answered@x", answers=["from@x"]))
    mailbox.append(letter(COLLEAGUE, message_id="again@x", answers=["answered@x"]), "Projects")
    mailbox.append(letter(COLLEAGUE, message_id="other@x", answers=["offer@x"]), "Projects")
    sync_account(read.pk)
    save_contact(name="Maria", addresses=[CONTACT])
    assert sync_account(read.pk).finished
    assert stored_ids(read) == ["again@x", "answered@x", "asked@x", "from@x", "tagged@x", "to@x"]


def test_for_very_many_all_headers_are_read_again(read: MailAccount, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rounds, "MOST_PEOPLE", 0)
    save_contact(name="Maria", addresses=[CONTACT])
    assert sync_account(read.pk).finished
    assert stored_ids(read) == ["asked@x", "from@x", "tagged@x", "to@x"]


def test_whose_owner_does_not_want_it_is_left_alone_until_they_do(read: MailAccount) -> None:
    read.looks_back = False
    read.save()
    save_contact(name="Maria", addresses=[CONTACT])
    assert sync_account(read.pk).finished
    assert stored_ids(read) == []
    read.looks_back = True
    read.save(update_fields=["looks_back"])
    assert sync_account(read.pk).finished
    assert len(stored_ids(read)) == 4


def test_an_account_learns_of_it_at_once_and_tells_how_far_it_is(read: MailAccount) -> None:
    save_contact(name="Maria", addresses=[CONTACT])
    read.refresh_from_db()
    assert read.next_sync_at is not None
    assert read.next_sync_at <= timezone.now()
    changes = DirectoryChange.objects.values_list("pk", flat=True)
    assert directory.looking(changes) == directory.Looking(mailboxes=1, done=0)
    sync_account(read.pk)
    assert directory.looking(changes) == directory.Looking(mailboxes=1, done=1)


def test_history_that_is_still_to_be_read_is_not_searched_and_the_ledger_stays_right(
    account: MailAccount, mailbox: SandboxMailbox, settings: SettingsWrapper
) -> None:
    settings.MAILACCOUNTS = {**settings.MAILACCOUNTS, "HEADER_BATCH": 2, "SYNC_BUDGET": 0}
    for number in range(8):
        mailbox.append(letter(STRANGER if number % 2 else CONTACT, message_id=f"{number}@x"))
    assert not sync_account(account.pk).finished
    save_contact(name="Maria", addresses=[CONTACT])
    while not sync_account(account.pk).finished:
        pass
    tally = Tally.objects.get(account=account)
    assert stored_ids(account) == ["0@x", "2@x", "4@x", "6@x"]
    assert (tally.examined, tally.stored, tally.skipped, tally.again) == (8, 4, 4, 0)


def test_an_account_that_has_yet_to_begin_is_not_waited_for(read: MailAccount) -> None:
    make_account(read.owner, begun=False)
    save_contact(name="Maria", addresses=[CONTACT])
    sync_account(read.pk)
    assert directory.looking(DirectoryChange.objects.values_list("pk", flat=True)).is_over


def test_a_search_that_ran_out_of_time_goes_on_with_the_next_sync(
    read: MailAccount, settings: SettingsWrapper
) -> None:
    save_contact(name="Maria", addresses=[CONTACT])
    settings.MAILACCOUNTS = {**settings.MAILACCOUNTS, "SYNC_BUDGET": 0}
    while not sync_account(read.pk).finished:
        pass
    assert len(stored_ids(read)) == 4


def test_the_rest_of_a_conversation_is_found_wherever_it_lies(account: MailAccount, mailbox: SandboxMailbox) -> None:
    mailbox.append(letter(COLLEAGUE, message_id="first@x"), "Archive")
    mailbox.append(letter(CONTACT, message_id="second@x", answers=["first@x"]))
    mailbox.append(letter(COLLEAGUE, message_id="third@x", answers=["first@x", "second@x"]), "Projects")
    mailbox.append(letter(COLLEAGUE, message_id="fourth@x", answers=["third@x"]), "Archive")
    mailbox.append(letter(STRANGER, message_id="other@x", answers=["else@x"]), "Archive")
    assert sync_account(account.pk).finished
    save_contact(name="Maria", addresses=[CONTACT])
    assert sync_account(account.pk).finished
    assert stored_ids(account) == ["first@x", "fourth@x", "second@x", "third@x"]
    assert compare_account(account.pk).agrees


def test_of_too_many_conversations_all_headers_are_read_again(
    read: MailAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rounds, "MOST_KEYS", 0)
    save_contact(name="Maria", addresses=[CONTACT])
    assert not sync_account(read.pk).finished
    assert sync_account(read.pk).finished
    assert stored_ids(read) == ["asked@x", "from@x", "tagged@x", "to@x"]


def test_a_server_that_does_not_understand_the_search_has_all_headers_read_again(
    read: MailAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = ImapSession.search

    def simple(self: ImapSession, *, any_of: Any = (), **limits: Any) -> list[int]:
        if any_of:
            raise ProtocolFault(host="localhost")
        return original(self, **limits)

    monkeypatch.setattr(ImapSession, "search", simple)
    save_contact(name="Maria", addresses=[CONTACT])
    assert sync_account(read.pk).finished
    assert stored_ids(read) == ["asked@x", "from@x", "tagged@x", "to@x"]


def test_at_gmail_a_conversation_is_what_gmail_calls_one(gmail_account: MailAccount, gmail: GmailMailbox) -> None:
    asked = gmail.deliver(letter(COLLEAGUE, message_id="asked@x"))
    gmail.deliver(letter(CONTACT, message_id="answer@x"), thread=asked)
    gmail.deliver(letter(STRANGER, message_id="offer@x"))
    assert sync_account(gmail_account.pk).finished
    save_contact(name="Maria", addresses=[CONTACT])
    assert sync_account(gmail_account.pk).finished
    assert stored_ids(gmail_account) == ["answer@x", "asked@x"]
    assert compare_account(gmail_account.pk).agrees
