"""Servers whose figures aren't true: nothing is left out for good, and our tables don't fill up."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from mailaccounts.mail.imap import ImapSession
from mailaccounts.mail.types import FolderInfo, FolderRole
from mailaccounts.models import MessageUid
from mailaccounts.services.limits import lease
from mailaccounts.services.storing import folders
from mailaccounts.services.syncing import round as rounds
from mailaccounts.services.syncing.sync import sync_account
from tests.integration.mailboxes import stored_ids
from tests.letters import letter

if TYPE_CHECKING:
    import pytest
    from pytest_django.fixtures import SettingsWrapper

    from crm.models import Contact
    from mailaccounts.mail.types import FolderState
    from mailaccounts.models import MailAccount
    from tests.sandbox_fixtures import SandboxMailbox


def test_a_folder_that_was_said_to_be_empty_is_read_when_it_turns_out_not_to_be(
    account: MailAccount, mailbox: SandboxMailbox, contact: Contact, monkeypatch: pytest.MonkeyPatch
) -> None:
    mailbox.append(letter(message_id="old@x"), "Archive")
    original = ImapSession.folders

    def said_to_be_empty(self: ImapSession, **options: Any) -> list[FolderInfo]:
        found = original(self, **options)
        return [replace(info, status=replace(info.status, exists=0)) if info.status else info for info in found]

    with monkeypatch.context() as once:
        once.setattr(ImapSession, "folders", said_to_be_empty)
        assert sync_account(account.pk).finished
    assert stored_ids(account) == []
    assert sync_account(account.pk).finished
    assert stored_ids(account) == ["old@x"]
    examined = account.folders.get(name="Archive").examined
    sync_account(account.pk)
    assert account.folders.get(name="Archive").examined == examined == 1


def test_a_uidvalidity_that_is_another_every_time_leaves_no_more_than_one_old_place_of_a_message(
    account: MailAccount,
    mailbox: SandboxMailbox,
    contact: Contact,
    settings: SettingsWrapper,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for number in range(3):
        mailbox.append(letter(message_id=f"{number}@x"))
    sync_account(account.pk)
    settings.MAILACCOUNTS = {**settings.MAILACCOUNTS, "HEADER_BATCH": 2, "SYNC_BUDGET": 0}
    original, count = ImapSession.select, iter(range(1, 100))

    def another(self: ImapSession, name: str, **options: Any) -> FolderState:
        return replace(original(self, name, **options), uidvalidity=next(count))

    monkeypatch.setattr(ImapSession, "select", another)
    monkeypatch.setattr(rounds.Round, "_is_quiet", lambda *_: False)
    for _ in range(6):
        assert sync_account(account.pk).error is None
    assert stored_ids(account) == ["0@x", "1@x", "2@x"]
    assert not account.messages.exclude(gone_since=None).exists()
    assert MessageUid.objects.filter(folder__account=account).count() <= 6


def test_folders_that_have_other_names_at_every_poll_do_not_pile_up(account: MailAccount) -> None:
    held = lease.claim(account)
    assert held is not None
    for poll in range(5):
        infos = [
            FolderInfo(name=f"F{poll}-{n}", delimiter="/", role=FolderRole.OTHER, selectable=True) for n in range(10)
        ]
        folders.remember(account, infos, rows=folders.rows_of(account), give_up=True, held=held)
        assert account.folders.count() <= 20
