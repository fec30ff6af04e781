"""`manage.py sync_mailboxes`: runs in the foreground, reports per account, and says by its status how it went."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from django.core.management import CommandError, call_command

from crm.hooks import CrmHooks
from mailaccounts.management._output import OutputCommand
from tests.app.builders import make_account, make_credential
from tests.crm.builders import make_contact
from tests.crm_process import ROOT, environment
from tests.letters import CONTACT, STRANGER, letter

if TYPE_CHECKING:
    from pytest_django.fixtures import SettingsWrapper

    from mailaccounts.models import MailAccount
    from tests.sandbox_fixtures import SandboxMailbox

pytestmark = pytest.mark.django_db(transaction=True)

KEYS = [
    "account", "status", "folders", "examined", "matched", "stored", "bodies_fetched", "bytes_fetched", "round_trips",
    "seconds", "error",
]  # fmt: skip


def connected(mailbox: SandboxMailbox, **columns: Any) -> MailAccount:
    imap = mailbox.sandbox.imap
    account = make_account(address=mailbox.address, imap_host=imap.host, imap_port=imap.port, **columns)
    make_credential(account, mailbox.password)
    return account


def sync(*arguments: str) -> tuple[list[dict[str, Any]], int]:
    out, status = io.StringIO(), 0
    try:
        call_command("sync_mailboxes", *arguments, "--json", stdout=out)
    except SystemExit as ended:
        status = int(ended.code or 0)
    return [json.loads(line) for line in out.getvalue().splitlines()], status


def test_each_account_is_reported_on_a_line_of_its_own(anna: SandboxMailbox) -> None:
    make_contact(CONTACT)
    account = connected(anna)
    anna.append(letter())
    anna.append(letter(STRANGER))
    (report,), status = sync(account.address.upper())
    assert status == 0
    assert list(report) == KEYS
    assert report["bytes_fetched"] > 500
    assert report["round_trips"] > 5
    assert report["seconds"] > 0
    assert {key: report[key] for key in KEYS if key not in ("bytes_fetched", "round_trips", "seconds", "folders")} == {
        "account": account.address,
        "status": "ok",
        "examined": 2,
        "matched": 1,
        "stored": 1,
        "bodies_fetched": 1,
        "error": None,
    }


def test_an_account_that_fails_does_not_keep_the_others_from_their_sync(anna: SandboxMailbox) -> None:
    connected(anna)
    broken = make_account(address="aaa@example.test", imap_host="localhost", imap_port=1)
    make_credential(broken)
    reports, status = sync("--all")
    assert status == 1
    assert [report["account"] for report in reports] == ["aaa@example.test", anna.address]
    assert reports[0]["error"]["code"] == "connection_refused"
    assert list(reports[0]["error"]) == ["code", "remedy", "message"]
    assert reports[1]["error"] is None


def test_a_fault_of_our_own_costs_one_account_and_not_the_others(
    anna: SandboxMailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    connected(anna)
    gone = make_account(address="aaa@example.test")
    make_credential(gone)

    def known_addresses(self: CrmHooks, account: MailAccount, addresses: object) -> set[str]:
        raise ZeroDivisionError

    anna.append(letter())
    monkeypatch.setattr(CrmHooks, "known_addresses", known_addresses)
    (report,), status = sync(anna.address)
    assert (status, report["error"]["code"], report["status"]) == (1, "error", "waiting")
    assert [each["account"] for each in sync("--all")[0]] == ["aaa@example.test", anna.address]


def test_it_goes_on_until_everything_is_read(anna: SandboxMailbox, settings: SettingsWrapper) -> None:
    settings.MAILACCOUNTS = {**settings.MAILACCOUNTS, "SYNC_BUDGET": 0, "HEADER_BATCH": 2}
    make_contact(CONTACT)
    connected(anna)
    for _ in range(7):
        anna.append(letter())
    (report,), status = sync(anna.address)
    assert (status, report["examined"], report["stored"], report["status"]) == (0, 7, 7, "ok")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["nobody@example.test"], "There is no mail account nobody@example.test."),
        ([], "Name the mailboxes to sync, or say --all."),
        (["--all", "x@example.test"], "Name the mailboxes to sync, or say --all."),
    ],
)
def test_a_call_that_makes_no_sense_is_a_usage_error(arguments: list[str], sentence: str) -> None:
    with pytest.raises(CommandError, match=sentence) as caught:
        call_command("sync_mailboxes", *arguments)
    assert caught.value.returncode == 2


def test_without_accounts_there_is_nothing_to_do() -> None:
    assert sync("--all") == ([], 0)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_on_a_terminal_the_progress_is_shown_in_place(anna: SandboxMailbox) -> None:
    connected(anna)
    anna.append(letter())
    terminal, elsewhere = Terminal(), io.StringIO()
    call_command("sync_mailboxes", "--all", stdout=io.StringIO(), stderr=terminal)
    call_command("sync_mailboxes", "--all", stdout=io.StringIO(), stderr=elsewhere)
    assert f"\r\x1b[2K{anna.address}: Reading INBOX, 0 of 1" in terminal.getvalue()
    assert "\n" not in terminal.getvalue()
    assert elsewhere.getvalue() == ""


def test_what_is_logged_meanwhile_is_written_over_the_progress_and_not_behind_it() -> None:
    terminal = Terminal()
    OutputCommand(stderr=terminal).progress("anna@example.test: Reading INBOX")
    assert terminal.getvalue() == "\r\x1b[2Kanna@example.test: Reading INBOX\r"


def test_people_read_a_table(anna: SandboxMailbox) -> None:
    connected(anna)
    out = io.StringIO()
    call_command("sync_mailboxes", "--all", stdout=out)
    heads, row = out.getvalue().splitlines()
    assert heads.split()[:2] == ["ACCOUNT", "STATUS"]
    assert row.split()[:2] == [anna.address, "ok"]


@pytest.mark.parametrize(
    ("arguments", "status"), [(["--all"], 1), (["nobody@example.test"], 2), ([], 2), (["--no-such-flag"], 2)]
)
def test_the_process_ends_with_the_status_that_scripts_rely_on(arguments: list[str], status: int) -> None:
    make_credential(make_account(imap_host="127.0.0.1", imap_port=1))
    ended = subprocess.run(
        [sys.executable, "manage.py", "sync_mailboxes", *arguments, "--json"],
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ended.returncode == status, ended.stderr
    assert len(ended.stdout.splitlines()) == (1 if status == 1 else 0)
    assert "Traceback" not in ended.stderr


def test_a_reader_that_goes_away_ends_the_command_without_a_word() -> None:
    """As in ``sync_mailboxes --all | head -1``."""
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "manage.py", "sync_mailboxes", "--all"]
    try:
        done = subprocess.run(
            command, cwd=ROOT, env=environment(), stdout=writing, stderr=subprocess.PIPE, text=True, timeout=60
        )
    finally:
        os.close(writing)
    assert (done.returncode, done.stderr) == (1, "")
