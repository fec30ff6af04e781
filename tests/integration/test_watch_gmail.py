"""At Gmail the folder with all mail is the one that is read: it is the one to watch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mailaccounts.services.limits import watch_fleet
from tests.crm_process import wait_until
from tests.integration.gmail import sync
from tests.integration.gmail_mailbox import ALL
from tests.letters import CONTACT, letter
from tests.watching import healthy, queued_syncs, watching

if TYPE_CHECKING:
    from mailaccounts.models import MailAccount
    from tests.integration.gmail_mailbox import GmailMailbox
    from tests.integration.gmail_server import GmailServer

pytestmark = pytest.mark.usefixtures("contact")


@pytest.fixture(autouse=True)
def _restless(monkeypatch: pytest.MonkeyPatch) -> None:
    """Watchers look after their accounts many times a second."""
    monkeypatch.setattr(watch_fleet, "BEAT_SECONDS", 0.2)


def synced(account: MailAccount) -> MailAccount:
    sync(account)
    return healthy(account)


def opened(server: GmailServer) -> list[str]:
    """The folders that were, in this order."""
    return [line.split('"')[1] for line in server.commands if line.startswith("EXAMINE")]


def test_all_mail_is_watched_and_where_nothing_came_nothing_is_synced(
    gmail_account: MailAccount, gmail: GmailMailbox, gmail_server: GmailServer
) -> None:
    gmail.deliver(letter())
    account = synced(gmail_account)
    gmail_server.forget()
    with watching() as watcher:
        watcher.wait_for(account)
    assert opened(gmail_server) == [ALL]
    assert (watcher.status.syncs, queued_syncs(account)) == (0, 0)


def test_mail_is_noticed_that_never_was_in_the_inbox(gmail_account: MailAccount, gmail: GmailMailbox) -> None:
    account = synced(gmail_account)
    with watching() as watcher:
        watcher.wait_for(account)
        gmail.send(letter("me@sandbox.test", CONTACT))
        wait_until(lambda: queued_syncs(account) == 1, what="a sync is queued")


def test_where_all_mail_is_hidden_the_inbox_is_watched(
    gmail_account: MailAccount, gmail: GmailMailbox, gmail_server: GmailServer
) -> None:
    gmail.hidden.add(ALL)
    account = synced(gmail_account)
    gmail_server.forget()
    with watching() as watcher:
        watcher.wait_for(account)
        gmail.deliver(letter())
        wait_until(lambda: queued_syncs(account) == 1, what="a sync is queued")
    assert opened(gmail_server) == ["INBOX"]
    assert watcher.status.syncs == 1
