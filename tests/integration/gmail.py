"""An account at Gmail, and what became of its mail in the store."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mailaccounts.models import MessageUid
from mailaccounts.rules import labels
from mailaccounts.services.syncing.sync import sync_account
from tests.app.builders import make_account, make_credential
from tests.integration.gmail_mailbox import GmailMailbox
from tests.integration.gmail_server import GmailServer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_django.fixtures import SettingsWrapper

    from mailaccounts.models import MailAccount
    from mailaccounts.services.syncing.report import SyncReport
    from tests.integration.hostile import Authority

PASSWORD = "an app password"


@pytest.fixture
def gmail() -> GmailMailbox:
    return GmailMailbox()


@pytest.fixture
def gmail_server(gmail: GmailMailbox, authority: Authority) -> Iterator[GmailServer]:
    with GmailServer(gmail, password=PASSWORD, context=authority.context()) as running:
        yield running


@pytest.fixture
def gmail_account(
    gmail_server: GmailServer, authority: Authority, settings: SettingsWrapper, transactional_db: None
) -> MailAccount:
    settings.MAILACCOUNTS = {
        **settings.MAILACCOUNTS,
        "CA_BUNDLE": str(authority.ca_file),
        "ALLOW_PRIVATE_HOSTS": ["127.0.0.0/8"],
    }
    made = make_account(imap_host="127.0.0.1", imap_port=gmail_server.port)
    make_credential(made, PASSWORD)
    return made


def sync(account: MailAccount) -> SyncReport:
    report = sync_account(account.pk)
    assert report.error is None, report.error
    assert report.finished
    return report


def shown(account: MailAccount) -> dict[str, list[str]]:
    """Each stored message's labels, as its owner knows them, by Message-ID."""
    rows = MessageUid.objects.filter(folder__account=account).values_list("message__message_id", "labels")
    return {message_id: labels.names(text) for message_id, text in rows}


def gone(account: MailAccount) -> list[str]:
    return sorted(account.messages.exclude(gone_since=None).values_list("message_id", flat=True))
