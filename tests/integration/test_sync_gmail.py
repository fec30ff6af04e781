"""Gmail, whose folders are labels: one folder has all mail, and that one is read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mailaccounts.errors import MailboxDiffers, Throttled
from mailaccounts.models import AccountStatus, MessageUid, ThreadKey
from mailaccounts.rules import labels
from mailaccounts.services.checking.compare import compare_account
from mailaccounts.services.moving import proof
from mailaccounts.services.signing_in import login
from mailaccounts.services.syncing.sync import sync_account
from tests.integration.gmail import gone, shown, sync
from tests.integration.gmail_mailbox import ALL, SPAM, TRASH
from tests.integration.mailboxes import places, stored_ids
from tests.letters import CONTACT, STRANGER, letter

if TYPE_CHECKING:
    from mailaccounts.models import MailAccount
    from tests.integration.gmail_mailbox import GmailMailbox
    from tests.integration.gmail_server import GmailServer

pytestmark = pytest.mark.usefixtures("contact")


def test_all_mail_is_read_once_however_many_labels_a_message_has(
    gmail_account: MailAccount, gmail: GmailMailbox, gmail_server: GmailServer
) -> None:
    key = gmail.deliver(letter(message_id="1@x"), "\\Inbox", "\\Important", "Work", "Kunden & Käufer")
    gmail.deliver(letter(STRANGER), "\\Inbox", "Work")
    report = sync(gmail_account)
    assert (report.examined, report.stored, report.bodies_fetched) == (2, 1, 1)
    assert places(gmail_account) == [(ALL, 1)]
    assert shown(gmail_account) == {"1@x": ["INBOX", "Important", "Kunden & Käufer", "Work"]}
    message = gmail_account.messages.get()
    assert (message.provider_id, message.provider_thread) == (str(key), str(key))
    assert {line for line in gmail_server.commands if line.startswith("EXAMINE")} == {f'EXAMINE "{ALL}" (CONDSTORE)'}


def test_trash_spam_and_drafts_are_left_alone(gmail_account: MailAccount, gmail: GmailMailbox) -> None:
    for where in (TRASH, SPAM):
        gmail.put(gmail.deliver(letter()), where)
    gmail.deliver(letter("me@sandbox.test", CONTACT), "\\Draft")
    assert sync(gmail_account).stored == 0


def test_what_the_owner_does_with_labels_is_seen_without_a_download(
    gmail_account: MailAccount, gmail: GmailMailbox
) -> None:
    first, second = gmail.deliver(letter(message_id="1@x")), gmail.deliver(letter(message_id="2@x"))
    sync(gmail_account)
    gmail.archive(first)
    gmail.label(second, "Offers/2026")
    gmail.flag(second, "\\Seen")
    report = sync(gmail_account)
    assert (report.examined, report.bodies_fetched) == (0, 0)
    assert shown(gmail_account) == {"1@x": [], "2@x": ["INBOX", "Offers/2026"]}
    seen = MessageUid.objects.filter(seen=True).values_list("message__message_id", flat=True)
    assert list(seen) == ["2@x"]
    gmail.unlabel(second, "Offers/2026", "\\Inbox")
    sync(gmail_account)
    assert shown(gmail_account) == {"1@x": [], "2@x": []}


def test_flags_and_labels_are_asked_for_in_one_command_and_only_those_that_changed(
    gmail_account: MailAccount, gmail: GmailMailbox, gmail_server: GmailServer
) -> None:
    gmail.deliver(letter(message_id="1@x"))
    sync(gmail_account)
    before = gmail.modseq
    gmail.label(next(iter(gmail.messages)), "Work")
    gmail_server.forget()
    sync(gmail_account)
    fetches = [line for line in gmail_server.commands if line.startswith("UID FETCH")]
    assert fetches == [f"UID FETCH 1 (UID FLAGS X-GM-LABELS) (CHANGEDSINCE {before})"]


def test_a_poll_that_finds_nothing_opens_no_folder(
    gmail_account: MailAccount, gmail: GmailMailbox, gmail_server: GmailServer
) -> None:
    gmail.deliver(letter())
    sync(gmail_account)
    gmail_server.forget()
    sync(gmail_account)
    assert gmail_server.count() == {"CAPABILITY": 1, "AUTHENTICATE": 1, "LIST": 1, "LOGOUT": 1}


def test_what_is_deleted_is_gone_and_what_is_taken_out_of_the_trash_is_the_same_again(
    gmail_account: MailAccount, gmail: GmailMailbox
) -> None:
    first, second = gmail.deliver(letter(message_id="1@x")), gmail.deliver(letter(message_id="2@x"))
    sync(gmail_account)
    rows = dict(gmail_account.messages.values_list("message_id", "pk"))
    gmail.put(first, TRASH)
    gmail.put(second, SPAM)
    sync(gmail_account)
    assert gone(gmail_account) == ["1@x", "2@x"]
    assert places(gmail_account) == []
    gmail.delete_forever(second)
    gmail.put(first, "")
    assert sync(gmail_account).bodies_fetched == 0
    assert gone(gmail_account) == ["2@x"]
    assert dict(gmail_account.messages.values_list("message_id", "pk")) == rows
    assert places(gmail_account) == [(ALL, 3)]


def test_mail_sent_is_known_by_its_label(gmail_account: MailAccount, gmail: GmailMailbox) -> None:
    gmail.send(letter("me@sandbox.test", CONTACT, message_id="1@x"))
    sync(gmail_account)
    place = MessageUid.objects.get()
    assert (labels.SENT in place.labels.split("\n"), place.folder.name, place.seen) == (True, ALL, True)


def test_what_gmail_calls_one_conversation_is_one(gmail_account: MailAccount, gmail: GmailMailbox) -> None:
    """A new subject and no References: only Gmail knows."""
    theirs = gmail.deliver(letter(message_id="1@x"))
    gmail.deliver(letter(STRANGER, message_id="2@x"), "Work", thread=gmail.messages[theirs].thread)
    gmail.deliver(letter(STRANGER, message_id="3@x"))
    sync(gmail_account)
    assert stored_ids(gmail_account) == ["1@x", "2@x"]
    assert gmail_account.threads.count() == 1
    gmail.deliver(letter(STRANGER, message_id="4@x"), thread=gmail.messages[theirs].thread)
    sync(gmail_account)
    assert stored_ids(gmail_account) == ["1@x", "2@x", "4@x"]
    assert gmail_account.threads.count() == 1


def test_a_conversation_that_gets_its_contact_later_is_stored_with_it(
    gmail_account: MailAccount, gmail: GmailMailbox
) -> None:
    """History is read from the newest back: the colleague's note comes first."""
    theirs = gmail.deliver(letter(message_id="1@x"))
    for _ in range(3):
        gmail.deliver(letter(STRANGER))
    gmail.deliver(letter(STRANGER, message_id="2@x"), thread=gmail.messages[theirs].thread)
    sync(gmail_account)
    assert stored_ids(gmail_account) == ["1@x", "2@x"]


def test_mail_can_not_claim_a_conversation_by_naming_gmails_number(
    gmail_account: MailAccount, gmail: GmailMailbox
) -> None:
    theirs = gmail.deliver(letter(message_id="1@x"))
    sync(gmail_account)
    (key,) = ThreadKey.objects.filter(message_id__contains=str(theirs)).values_list("message_id", flat=True)
    for claim in (key, key.replace(" ", ""), f"{key}@x"):
        gmail.deliver(letter(STRANGER, answers=[claim]))
    assert sync(gmail_account).matched == 0


def test_server_and_store_agree(gmail_account: MailAccount, gmail: GmailMailbox) -> None:
    theirs = gmail.deliver(letter(message_id="1@x"), "\\Inbox", "Work")
    gmail.deliver(letter(STRANGER, message_id="2@x"), thread=gmail.messages[theirs].thread)
    gmail.deliver(letter(), "\\Draft")
    sync(gmail_account)
    found = compare_account(gmail_account.pk)
    assert (found.expected, found.folders, found.agrees) == (2, 1, True)


def test_another_sign_in_is_compared_with_what_is_stored_of_all_mail(
    gmail_account: MailAccount, gmail: GmailMailbox
) -> None:
    """What a migration proves where the old sign-in works no more; that INBOX was never read is no obstacle."""
    archived = gmail.deliver(letter(message_id="1@x"), "Work")
    gmail.deliver(letter(message_id="2@x"))
    sync(gmail_account)
    with login.open_imap(gmail_account) as session:
        assert proof._agrees_with_store(gmail_account, session, elsewhere=False)
        assert proof._agrees_with_store(gmail_account, session, elsewhere=True)
        gmail.messages[archived].raw = letter(message_id="3@x")
        with pytest.raises(MailboxDiffers):
            proof._agrees_with_store(gmail_account, session, elsewhere=False)


def test_a_spent_quota_is_waited_for(gmail_account: MailAccount, gmail_server: GmailServer) -> None:
    gmail_server.refusal = "NO [OVERQUOTA] Account exceeded command or bandwidth limits. (Failure)"
    report = sync_account(gmail_account.pk)
    assert type(report.error) is Throttled
    gmail_account.refresh_from_db()
    assert (gmail_account.status, gmail_account.status_code) == (AccountStatus.WAITING, "throttled")
