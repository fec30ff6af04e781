"""`manage.py audit_mailboxes`: what is at the server and belongs into the store, and what is there."""

from __future__ import annotations

import io
import json
import logging
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.core.management import CommandError, call_command
from django.db.models import F
from django_q.models import OrmQ

from crm.models import Contact, TimelineEntry
from mailaccounts import tasks
from mailaccounts.models import MailAccount, Message, MessageUid, Quarantined
from mailaccounts.services.limits import lease
from mailaccounts.services.syncing.sync import sync_account
from tests.app.builders import make_account, make_credential, make_message
from tests.crm.builders import make_contact
from tests.integration.mailboxes import imap_of
from tests.letters import CONTACT, STRANGER, letter, new_id

if TYPE_CHECKING:
    from django.test import Client
    from pytest_django.fixtures import SettingsWrapper

    from tests.sandbox_fixtures import SandboxMailbox

pytestmark = pytest.mark.django_db(transaction=True)

KEYS = ["account", "folders", "expected", "present", "missing", "duplicated", "error"]


@pytest.fixture
def maria(transactional_db: None) -> Contact:
    return make_contact(CONTACT)


@pytest.fixture
def account(anna: SandboxMailbox, maria: Contact) -> MailAccount:
    imap = anna.sandbox.imap
    made = make_account(address=anna.address, imap_host=imap.host, imap_port=imap.port)
    make_credential(made, anna.password)
    return made


def audit(*arguments: str) -> tuple[list[dict[str, Any]], int]:
    out, status = io.StringIO(), 0
    try:
        call_command("audit_mailboxes", *arguments, "--json", stdout=out)
    except SystemExit as ended:
        status = int(ended.code or 0)
    return [json.loads(line) for line in out.getvalue().splitlines()], status


def figures(report: dict[str, Any]) -> tuple[int, int, int, int]:
    assert list(report) == KEYS
    assert report["error"] is None
    return report["expected"], report["present"], report["missing"], report["duplicated"]


def test_before_a_sync_all_mail_with_contacts_is_missing_and_after_it_none(
    account: MailAccount, anna: SandboxMailbox
) -> None:
    first = new_id()
    anna.append(letter(message_id=first))
    anna.append(letter(STRANGER))
    anna.append(letter(STRANGER, answers=[first]), "Projects")  # in her thread
    anna.append(letter(), "Trash")
    (report,), status = audit(account.address.upper())
    assert (figures(report), status) == ((2, 0, 2, 0), 1)
    assert report["folders"] == 3  # INBOX, Sent, Projects
    sync_account(account.pk)
    (report,), status = audit("--all")
    assert (figures(report), status) == ((2, 2, 0, 0), 0)


def test_no_body_is_asked_for_and_nothing_changes_but_the_note_of_it(
    account: MailAccount, anna: SandboxMailbox
) -> None:
    anna.append(letter())
    before = MailAccount.objects.get()
    audit(account.address)
    account.refresh_from_db()
    assert not any("BODY.PEEK[]" in command for log in anna.rawlogs() for command in log.commands)
    assert not Message.objects.exists()
    assert (account.compared_missing, account.compared_doubled) == (1, 0)
    assert account.compared_at is not None
    assert (account.status, account.next_sync_at, account.lease_owner) == (before.status, before.next_sync_at, "")


def test_a_message_that_got_lost_is_found_and_fetched_again(account: MailAccount, anna: SandboxMailbox) -> None:
    for _ in range(5):
        anna.append(letter())
    sync_account(account.pk)
    lost = Message.objects.order_by("pk")[2]
    message_id = lost.message_id
    TimelineEntry.objects.filter(message=lost).delete()
    lost.delete()
    assert sync_account(account.pk).stored == 0  # the cursor is past it
    (report,), status = audit(account.address)
    assert (figures(report), status) == ((5, 4, 1, 0), 1)
    fetched = bodies_fetched(anna)
    (report,), status = audit(account.address, "--repair")
    assert (figures(report), status) == ((5, 5, 0, 0), 0)
    assert bodies_fetched(anna) == fetched + 1
    assert account.folders.get(name="INBOX").examined == 5, "none of them counts twice for being gone through again"
    assert TimelineEntry.objects.filter(message__message_id=message_id).count() == 1


def test_a_message_that_is_stored_twice_becomes_one_again(account: MailAccount, anna: SandboxMailbox) -> None:
    """As when its fingerprint was once made in another way: the host knows the older row."""
    anna.append(letter(message_id="offer@x.test"))
    sync_account(account.pk)
    right = Message.objects.get()
    fingerprint = right.fingerprint
    Message.objects.update(fingerprint="made in another way")
    Message.objects.filter(pk=right.pk).update(has_body=True)
    account.folders.update(last_uid=0, uidvalidity=F("uidvalidity") - 1, uidnext=0)
    sync_account(account.pk)
    assert Message.objects.count() == 2
    Message.objects.filter(pk=right.pk).update(gone_since=datetime.now(UTC))  # it lies nowhere any more
    (report,), status = audit(account.address)
    assert (figures(report), status) == ((1, 1, 0, 1), 1)
    (report,), status = audit(account.address, "--repair")
    assert (figures(report), status) == ((1, 1, 0, 0), 0)
    kept = Message.objects.get()
    assert (kept.pk, kept.fingerprint, kept.has_body) == (right.pk, fingerprint, True)
    assert kept.gone_since is None  # or it would be swept
    assert kept.uids.count() == 1
    assert kept.attachments.count() == 0
    assert TimelineEntry.objects.get().message == kept


def test_two_letters_under_one_message_id_are_not_doubled(account: MailAccount, anna: SandboxMailbox) -> None:
    for subject in ("One", "Another"):
        anna.append(letter(subject=subject, message_id="the-same@x.test"))
    sync_account(account.pk)
    assert figures(audit(account.address)[0][0]) == (2, 2, 0, 0)


def test_a_lists_copy_of_a_letter_that_was_deleted_is_not_that_letter(
    account: MailAccount, anna: SandboxMailbox
) -> None:
    when = datetime.now(UTC)
    anna.append(letter(text="Direct", message_id="the-same@x.test", when=when))
    sync_account(account.pk)
    anna.append(letter(STRANGER, CONTACT, text="By the list", message_id="the-same@x.test", when=when))
    with imap_of(anna) as other:
        other.select()
        other.store("1", "+FLAGS", r"(\Deleted)")
        other.expunge()
    sync_account(account.pk)
    (report,), _ = audit(account.address, "--repair")
    assert figures(report) == (1, 1, 0, 0)
    assert "By the list" in Message.objects.get(gone_since=None).body_text


def test_mail_older_than_the_accounts_date_is_not_expected_unless_it_arrived_later(
    account: MailAccount, anna: SandboxMailbox
) -> None:
    old = datetime.now(UTC) - timedelta(days=90)
    MailAccount.objects.update(since=date.today() - timedelta(days=30))
    anna.append(letter(), when=old)
    anna.append(letter())
    sync_account(account.pk)
    anna.append(letter(), when=old)  # moved here from elsewhere, after the folder was first seen
    sync_account(account.pk)
    assert figures(audit(account.address)[0][0]) == (2, 2, 0, 0)


def test_an_account_that_fails_or_is_at_work_does_not_keep_the_others_from_their_turn(
    account: MailAccount, anna: SandboxMailbox
) -> None:
    make_credential(make_account(address="aaa@example.test", imap_host="localhost", imap_port=1))
    held = lease.claim(account)
    reports, status = audit("--all")
    assert status == 1
    assert [report["error"]["code"] for report in reports] == ["connection_refused", "account_busy"]
    assert held is not None
    lease.release(held)
    reports, status = audit(account.address)
    assert (reports[0]["error"], status) == (None, 0)


def test_people_read_a_table(account: MailAccount) -> None:
    out = io.StringIO()
    call_command("audit_mailboxes", "--all", stdout=out)
    heads, row = out.getvalue().splitlines()
    assert heads.split() == ["ACCOUNT", "FOLDERS", "EXPECTED", "PRESENT", "MISSING", "DUPLICATED"]
    assert row.split() == [account.address, "2", "0", "0", "0", "0"]


@pytest.mark.parametrize("arguments", [["nobody@example.test"], [], ["--all", "x@example.test"]])
def test_a_call_that_makes_no_sense_is_a_usage_error(arguments: list[str]) -> None:
    with pytest.raises(CommandError) as caught:
        call_command("audit_mailboxes", *arguments)
    assert caught.value.returncode == 2


def test_every_day_those_are_compared_that_were_not_for_the_longest_time(
    account: MailAccount, anna: SandboxMailbox, settings: SettingsWrapper, caplog: pytest.LogCaptureFixture
) -> None:
    settings.MAILACCOUNTS = {**settings.MAILACCOUNTS, "COMPARED_DAILY": 1}
    make_account(status="ok", compared_at=datetime.now(UTC))
    anna.append(letter())
    sync_account(account.pk)
    anna.append(letter())  # arrives meanwhile, and isn't missing
    tasks.day()
    queued = [(each.func(), each.args()) for each in OrmQ.objects.all()]
    assert [args for func, args in queued if func == "mailaccounts.tasks.compare"] == [(account.pk,)]
    with caplog.at_level(logging.ERROR, logger="mailaccounts"):
        tasks.compare(account.pk)
        assert "missing" not in caplog.text
        TimelineEntry.objects.all().delete()
        Message.objects.order_by("pk")[0].delete()
        tasks.compare(account.pk)
    assert "of 2 messages, 1 missing and 0 stored twice" in caplog.text
    assert account.address not in caplog.text


def test_what_is_gone_at_the_server_is_not_expected(account: MailAccount, anna: SandboxMailbox) -> None:
    make_message(account)
    assert figures(audit(account.address)[0][0]) == (0, 0, 0, 0)


def test_the_admin_shows_how_it_was_the_last_time(
    account: MailAccount, anna: SandboxMailbox, admin_client: Client
) -> None:
    for _ in range(3):
        anna.append(letter())
    address = f"/admin/mailaccounts/mailaccount/{account.pk}/change/"
    assert "Not yet" in admin_client.get(address).content.decode()
    audit(account.address)
    assert "just now: 3 missing, 0 stored twice" in admin_client.get(address).content.decode()


def test_what_is_in_quarantine_is_shown_there_and_not_missing(account: MailAccount, anna: SandboxMailbox) -> None:
    anna.append(letter())
    sync_account(account.pk)
    TimelineEntry.objects.all().delete()
    (place,) = MessageUid.objects.all()
    Quarantined.objects.create(folder=place.folder, uidvalidity=place.uidvalidity, uid=place.uid, fault="unstorable")
    Message.objects.all().delete()
    assert figures(audit(account.address)[0][0]) == (0, 0, 0, 0)


def bodies_fetched(mailbox: SandboxMailbox) -> int:
    return sum(log.received.count(b"BODY[]") for log in mailbox.rawlogs())


def test_two_letters_that_say_different_things_are_not_doubled_however_alike_their_headers_are(
    account: MailAccount, anna: SandboxMailbox
) -> None:
    """Whoever knows the headers of a letter can write another under them, spelled a bit differently."""
    when = datetime.now(UTC)
    first = letter(subject="Hello", text="We take your offer", message_id="the-same@x.test", when=when)
    other = letter(subject="Hello", text="We decline", message_id="the-same@x.test", when=when)
    anna.append(first)
    anna.append(other.replace(b"Subject: Hello", b"Subject: =?utf-8?q?Hello?="))
    sync_account(account.pk)
    with imap_of(anna) as session:
        session.select()
        session.store("1", "+FLAGS", r"(\Deleted)")
        session.expunge()
    sync_account(account.pk)
    (report,), _ = audit(account.address, "--repair")
    assert figures(report) == (1, 1, 0, 0)
    assert "We decline" in Message.objects.get(gone_since=None).body_text
    assert "We take your offer" in Message.objects.exclude(gone_since=None).get().body_text
