"""What would be stored is counted from headers alone, and is what the sync then stores."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from django.utils import timezone

from mailaccounts import tasks
from mailaccounts.models import Blocked, MailAccount, Message, Preview
from mailaccounts.services.connecting.begin import begin
from mailaccounts.services.syncing import preview as previewing
from mailaccounts.services.syncing.preview import ask
from mailaccounts.services.syncing.sync import sync_account
from tests.crm.builders import make_contact
from tests.letters import COLLEAGUE, CONTACT, STRANGER, letter

if TYPE_CHECKING:
    from collections.abc import Sequence

    from crm.models import Contact
    from mailaccounts.mail.types import FetchedHeaders
    from tests.sandbox_fixtures import SandboxMailbox

ME = "me@sandbox.test"
PAUL = "paul@other.test"
HEADERS_ALONE = re.compile(
    r"UID FETCH [\d:,]+ \(UID FLAGS INTERNALDATE RFC822\.SIZE BODY\.PEEK\[HEADER\.FIELDS \([A-Z -]+\)\]<0\.\d+>\)"
)


@pytest.fixture
def waiting(account: MailAccount, contact: Contact) -> MailAccount:
    """An account whose owner has yet to say how far back; two contacts of theirs are known."""
    make_contact(PAUL)
    account.begun = False
    account.save()
    return account


@pytest.fixture
def filled(mailbox: SandboxMailbox) -> SandboxMailbox:
    """Five messages to store, one of them in two folders; three of others, and one with a contact from long ago."""
    asked = letter(CONTACT, ME, message_id="asked@x")
    for folder in ("INBOX", "Archive"):
        mailbox.append(asked, folder)
    mailbox.append(letter(COLLEAGUE, ME, message_id="forwarded@x", answers=["asked@x"]))
    mailbox.append(letter(ME, CONTACT, message_id="answered@x", answers=["asked@x"]), "Sent")
    mailbox.append(letter(PAUL, f"{ME}, {CONTACT}", message_id="both@x"))
    mailbox.append(letter(ME, PAUL, message_id="sent@x"), "Sent")
    for number in range(3):
        mailbox.append(letter(STRANGER, ME, f"Offer {number}"))
    long_ago = timezone.now() - timedelta(days=400)
    mailbox.append(letter(CONTACT, ME, message_id="old@x", when=long_ago), when=long_ago)
    return mailbox


def preview(account: MailAccount, *, days: int | None = 365) -> Preview:
    ask(account, since=timezone.localdate() - timedelta(days=days) if days else None)
    tasks.preview(account.pk)
    return Preview.objects.get()


def test_a_preview_counts_what_the_sync_then_stores(waiting: MailAccount, filled: SandboxMailbox) -> None:
    found = preview(waiting)
    assert found.ended == "complete"
    assert (found.examined, found.matched, found.known) == (9, 5, 2)
    assert found.people == [[CONTACT, 3], [PAUL, 2]]
    assert not Message.objects.exists()
    assert not waiting.folders.exists()
    begin(waiting, since=found.since)
    assert sync_account(waiting.pk).stored == found.matched


def test_all_the_mail_there_is_counts_what_is_old_too(waiting: MailAccount, filled: SandboxMailbox) -> None:
    found = preview(waiting, days=None)
    assert (found.examined, found.matched, found.people[0]) == (10, 6, [CONTACT, 4])


def test_mail_that_would_not_be_kept_is_not_counted(waiting: MailAccount, filled: SandboxMailbox) -> None:
    waiting.keep_days = 300
    waiting.save()
    assert preview(waiting, days=None).matched == 5


def test_whom_the_owner_has_blocked_does_not_count(waiting: MailAccount, filled: SandboxMailbox) -> None:
    Blocked.objects.create(owner=waiting.owner, pattern=PAUL)
    found = preview(waiting)
    assert (found.matched, found.people) == (4, [[CONTACT, 3]])


def test_a_preview_asks_the_server_for_headers_and_changes_nothing(
    waiting: MailAccount, filled: SandboxMailbox
) -> None:
    preview(waiting)
    said = [command.partition(" ")[2] for log in filled.rawlogs() for command in log.commands]
    fetched = [each for each in said if each.startswith("UID FETCH")]
    assert len(fetched) == 3
    assert all(HEADERS_ALONE.fullmatch(each) for each in fetched)
    others = {each.partition(" ")[0] for each in said if each not in fetched and not each.startswith("UID SEARCH")}
    assert others == {"ENABLE", "LIST", "EXAMINE", "LOGOUT"}


def test_counting_stops_when_it_took_long_enough_and_says_so(
    waiting: MailAccount, filled: SandboxMailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(previewing, "MOST", 1)
    found = preview(waiting)
    assert found.ended == "long_enough"
    assert (found.examined, found.matched) == (6, 3)  # of INBOX: the rest was not looked at


def test_a_mailbox_that_doesnt_open_is_explained(waiting: MailAccount, filled: SandboxMailbox) -> None:
    MailAccount.objects.update(imap_host="nowhere.invalid")
    found = preview(waiting)
    assert found.ended == "host_not_found"
    assert "nowhere.invalid" in found.problem
    waiting.refresh_from_db()
    assert (waiting.status, waiting.lease_owner, waiting.next_sync_at) == ("new", "", None)


@pytest.mark.parametrize("then", ["begin", "ask"])
def test_a_preview_that_nobody_waits_for_any_more_stops_and_writes_nothing(
    waiting: MailAccount, filled: SandboxMailbox, monkeypatch: pytest.MonkeyPatch, then: str
) -> None:
    original, meanwhile = previewing.Counting._note, [begin if then == "begin" else ask]

    def note(counting: previewing.Counting, batch: Sequence[FetchedHeaders]) -> None:
        while meanwhile:
            meanwhile.pop()(waiting, since=None)
        original(counting, batch)

    monkeypatch.setattr(previewing.Counting, "_note", note)
    ask(waiting, since=timezone.localdate())
    tasks.preview(waiting.pk)
    waiting.refresh_from_db()
    if then == "begin":
        assert not Preview.objects.exists()
        assert waiting.next_sync_at is not None
        assert sync_account(waiting.pk).error is None
    else:
        assert (Preview.objects.get().ended, Preview.objects.get().examined) == ("", 0)
        tasks.preview(waiting.pk)
        assert (Preview.objects.get().ended, Preview.objects.get().examined) == ("complete", 10)
