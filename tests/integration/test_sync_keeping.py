"""A mailbox whose owner wants mail kept for some days only: what is older is neither brought in nor missed."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from django.utils import timezone

from mailaccounts.models import Message
from mailaccounts.services.checking.compare import compare_account
from mailaccounts.services.syncing import retention
from mailaccounts.services.syncing.sync import sync_account
from tests.integration.mailboxes import imap_of, stored_ids
from tests.letters import letter

if TYPE_CHECKING:
    from crm.models import Contact
    from mailaccounts.models import MailAccount
    from tests.sandbox_fixtures import SandboxMailbox

DAYS = 30


def file_away(mailbox: SandboxMailbox, message_id: str, *, days: float) -> None:
    """A letter that arrived so many days ago."""
    arrived = (timezone.now() - timedelta(days=days)).strftime('"%d-%b-%Y %H:%M:%S +0000"')
    with imap_of(mailbox) as imap:
        assert imap.append("INBOX", "", arrived, letter(message_id=message_id))[0] == "OK"


def test_what_is_too_old_is_neither_fetched_nor_missed_and_comes_when_more_is_wanted(
    account: MailAccount, mailbox: SandboxMailbox, contact: Contact
) -> None:
    for number in (DAYS - 2, DAYS + 0.1, DAYS + 5):
        file_away(mailbox, f"{number}@x", days=number)
    retention.keep(account, days=DAYS, looks_back=True, actor=None)
    assert sync_account(account.pk).finished
    assert stored_ids(account) == ["28@x"]
    file_away(mailbox, "moved-here@x", days=DAYS + 1)
    assert sync_account(account.pk).finished
    assert stored_ids(account) == ["28@x"]
    assert compare_account(account.pk).agrees
    bodies = [each for log in mailbox.rawlogs() for each in log.commands if "BODY.PEEK[]" in each]
    assert len(bodies) == 1

    Message.objects.update(received_at=timezone.now() - timedelta(days=DAYS + 1))  # time goes by
    assert sync_account(account.pk).finished
    assert stored_ids(account) == []

    account.refresh_from_db()
    retention.keep(account, days=None, looks_back=True, actor=None)
    assert sync_account(account.pk).finished
    assert stored_ids(account) == ["28@x", "30.1@x", "35@x", "moved-here@x"]
