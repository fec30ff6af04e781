"""A provider that says how many connections it takes in all is asked for no more, and syncs have some of them."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from django.utils import timezone

from mailaccounts.models import MailAccount
from mailaccounts.services.limits import watch_fleet
from mailaccounts.services.syncing.sync import sync_account
from tests.app.builders import make_account, make_credential
from tests.crm_process import wait_until
from tests.sandbox_crm import world_of
from tests.watching import healthy, is_marked, watching

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytest_django.fixtures import SettingsWrapper

    from mailaccounts.testing.sandbox import Sandbox
    from tests.sandbox_fixtures import SandboxMailbox

pytestmark = pytest.mark.django_db(transaction=True)

IN_ALL, WATCHED = 6, 4


@pytest.fixture(autouse=True)
def _restless(monkeypatch: pytest.MonkeyPatch) -> None:
    """Watchers look after their accounts many times a second."""
    monkeypatch.setattr(watch_fleet, "BEAT_SECONDS", 0.2)


@pytest.fixture
def accounts(
    sandbox: Sandbox, settings: SettingsWrapper, tmp_path: Path, new_mailbox: Callable[[], SandboxMailbox]
) -> list[MailAccount]:
    """Ten, of which each had mail a day later than the next, at a server that takes six connections."""
    presets = tmp_path / "presets.json"
    ours = {"slug": "us", "label": "Us", "imap": sandbox.imap.url, "limits": {"connections_in_all": IN_ALL}}
    presets.write_text(json.dumps({"presets": [ours]}))
    settings.MAILACCOUNTS = {**world_of(sandbox, settings.MAILACCOUNTS), "PRESETS_FILE": str(presets)}
    made = []
    for day in range(10):
        mailbox = new_mailbox()
        account = make_account(address=mailbox.address, imap_host=sandbox.imap.host, imap_port=sandbox.imap.port)
        make_credential(account, mailbox.password)
        assert sync_account(account.pk).error is None
        made.append(healthy(account, last_mail_at=timezone.now() - timedelta(days=day)))
    return made


def marked() -> list[int]:
    """The accounts that somebody watches, or is about to."""
    return list(MailAccount.objects.exclude(watcher="").order_by("pk").values_list("pk", flat=True))


def test_those_that_had_mail_last_are_watched_and_syncs_have_room(accounts: list[MailAccount]) -> None:
    with watching() as watcher:
        watcher.wait_for(*accounts[:WATCHED])
        wait_until(lambda: marked() == [account.pk for account in accounts[:WATCHED]], what="it lets go of the rest")
        assert [sync_account(account.pk).error for account in accounts] == [None] * len(accounts)
        assert (watcher.status.watched, watcher.status.failed) == (WATCHED, 0)


def test_one_that_gets_mail_takes_the_place_of_another(accounts: list[MailAccount]) -> None:
    with watching() as watcher:
        watcher.wait_for(*accounts[:WATCHED])
        healthy(accounts[9], last_mail_at=timezone.now() + timedelta(hours=1))
        watcher.wait_for(accounts[9])
        wait_until(lambda: not is_marked(accounts[WATCHED - 1]), what="another makes way")
        assert watcher.watches(*accounts[: WATCHED - 1])


def test_watchers_share_what_there_is_and_one_takes_over_from_the_other(accounts: list[MailAccount]) -> None:
    with watching() as one:
        with watching(most=2) as two:
            wait_until(lambda: one.status.watched == two.status.watched == WATCHED // 2, what="both have as many")
            looks = one.looks, two.looks
            wait_until(lambda: min(one.looks - looks[0], two.looks - looks[1]) > 3, what="some time passes")
            assert (one.status.watched, two.status.watched) == (WATCHED // 2, WATCHED // 2)
            assert len(marked()) == WATCHED
        one.wait_for(*accounts[:WATCHED])


def test_a_server_that_is_full_keeps_no_other_from_being_watched(
    accounts: list[MailAccount], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The line is short, and those who can't be watched aren't in it."""
    monkeypatch.setattr("mailaccounts.services.watching.watch_roll.IN_LINE", 4)
    elsewhere = accounts[9]
    healthy(elsewhere, imap_host="127.0.0.1")
    with watching() as watcher:
        watcher.wait_for(elsewhere)
