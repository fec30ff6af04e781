"""Gmail, where the folder with all mail can be hidden from IMAP: then the others are read as anywhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.integration.gmail import gone, sync
from tests.integration.gmail_mailbox import ALL, SENT, TRASH
from tests.integration.mailboxes import places
from tests.letters import CONTACT, letter

if TYPE_CHECKING:
    from mailaccounts.models import MailAccount
    from tests.integration.gmail_mailbox import GmailMailbox

pytestmark = pytest.mark.usefixtures("contact")


def test_where_all_mail_is_hidden_its_folders_are_read_and_a_message_in_two_of_them_is_one(
    gmail_account: MailAccount, gmail: GmailMailbox
) -> None:
    gmail.hidden.add(ALL)
    key = gmail.deliver(letter(message_id="1@x"), "\\Inbox", "Work")
    gmail.send(letter("me@sandbox.test", CONTACT, message_id="2@x"))
    gmail.put(gmail.deliver(letter(message_id="3@x"), "Work"), TRASH)
    report = sync(gmail_account)
    assert (report.stored, report.bodies_fetched) == (2, 2)
    assert places(gmail_account) == [("INBOX", 1), ("Work", 1), (SENT, 1)]
    assert gmail_account.messages.get(message_id="1@x").provider_id == str(key)
    gmail.archive(key)
    sync(gmail_account)
    assert places(gmail_account) == [("Work", 1), (SENT, 1)]
    assert gone(gmail_account) == []


def test_all_mail_shown_later_takes_the_place_of_the_folders_read_before(
    gmail_account: MailAccount, gmail: GmailMailbox
) -> None:
    gmail.hidden.add(ALL)
    key = gmail.deliver(letter(message_id="1@x"), "\\Inbox", "Work")
    sync(gmail_account)
    rows = list(gmail_account.messages.values_list("pk", flat=True))
    gmail.hidden.clear()
    assert sync(gmail_account).bodies_fetched == 0
    assert places(gmail_account) == [(ALL, 1)]
    assert list(gmail_account.messages.values_list("pk", flat=True)) == rows
    gmail.put(key, TRASH)
    sync(gmail_account)
    assert gone(gmail_account) == ["1@x"]


def test_all_mail_hidden_later_loses_nothing(gmail_account: MailAccount, gmail: GmailMailbox) -> None:
    gmail.deliver(letter(message_id="1@x"), "\\Inbox", "Work")
    sync(gmail_account)
    gmail.hidden.add(ALL)
    assert sync(gmail_account).bodies_fetched == 0
    sync(gmail_account)
    assert places(gmail_account) == [("INBOX", 1), ("Work", 1)]
    assert gone(gmail_account) == []
