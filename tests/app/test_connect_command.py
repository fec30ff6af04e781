"""connect_mailbox: the flags, the JSON and the exit codes of the public contract."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from typing import TYPE_CHECKING, Any, NamedTuple
from unittest import mock

import pytest
from django.contrib.auth import get_user_model
from django.core.management import ManagementUtility

from mailaccounts.models import MailAccount
from tests.sandbox_crm import process_environment

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mailaccounts.testing.sandbox import Sandbox
    from tests.sandbox_fixtures import SandboxMailbox

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def owner(db: None) -> Any:
    return get_user_model().objects.create_user("olga", email="olga@crm.test")


class Done(NamedTuple):
    returncode: int
    stdout: str
    stderr: str


def in_this_process(line: list[str], said: str, sandbox: Sandbox) -> Done:
    """As manage.py does it, without the seconds that a new process takes."""
    out, err, status = io.StringIO(), io.StringIO(), 0
    stdin = io.TextIOWrapper(io.BytesIO(said.encode()))
    with redirect_stdout(out), redirect_stderr(err), mock.patch.object(sys, "stdin", stdin):
        try:
            ManagementUtility(line).execute()
        except SystemExit as end:
            status = int(end.code or 0)
    return Done(status, out.getvalue(), err.getvalue())


def as_an_operator_does(line: list[str], said: str, sandbox: Sandbox) -> Done:
    """In a process of its own, with the settings from its environment."""
    env = process_environment(sandbox)
    done = subprocess.run(
        [sys.executable, *line], env=env, input=said, capture_output=True, text=True, timeout=120, check=False
    )
    return Done(done.returncode, done.stdout, done.stderr)


def run(
    mailbox: SandboxMailbox,
    *flags: str,
    address: str = "",
    secret: str | None = None,
    how: Callable[..., Done] = in_this_process,
    **changes: str,
) -> dict[str, Any]:
    """Runs the command; the secret goes in by stdin."""
    sandbox = mailbox.sandbox
    options = {
        "--owner": "olga",
        "--backend": "password",
        "--imap": sandbox.imap.url,
        "--smtp": sandbox.smtp.url,
        "--secret-file": "-",
        **changes,
    }
    line = [
        *("manage.py", "connect_mailbox", address or mailbox.address),
        *(each for pair in options.items() if pair[1] for each in pair),
        *flags,
    ]
    done = how(line, mailbox.password if secret is None else secret, sandbox)
    assert mailbox.password not in done.stdout + done.stderr
    lines = done.stdout.splitlines()
    answer = json.loads(lines[0]) if "--json" in flags and lines else {}
    return {"status": done.returncode, "json": answer, "lines": lines, "said": done.stderr}


def test_a_mailbox_is_connected(owner: Any, anna: SandboxMailbox) -> None:
    done = run(anna, "--json", how=as_an_operator_does)
    assert done["status"] == 0, done["said"]
    account = MailAccount.objects.get()
    assert done["json"] == {"account": anna.address, "status": "connected", "id": account.pk, "error": None}
    assert (done["status"], len(done["lines"])) == (0, 1)
    assert account.owner == owner
    assert account.imap == anna.sandbox.imap


def test_the_owner_may_be_named_by_address_and_the_secret_come_from_a_file(
    owner: Any, anna: SandboxMailbox, tmp_path: Path
) -> None:
    file = tmp_path / "secret"
    file.write_text(anna.password + "\n")
    done = run(anna, "--since", "2024-05-06", **{"--owner": "OLGA@crm.test", "--secret-file": str(file)})
    assert done["status"] == 0, done["said"]
    assert anna.address in done["lines"][0]
    assert str(MailAccount.objects.get().since) == "2024-05-06"


def test_an_app_password_may_be_given_as_the_provider_shows_it(owner: Any, anna: SandboxMailbox) -> None:
    groups = " ".join(anna.password[at : at + 4] for at in range(0, len(anna.password), 4))
    assert run(anna, secret=groups, **{"--backend": "app_password"})["status"] == 0
    credential = MailAccount.objects.get().credentials.get()
    assert (credential.backend, credential.secret.reveal_text()) == ("app_password", anna.password)


@pytest.mark.parametrize(
    ("changes", "secret", "status", "code"),
    [
        ({}, "wr0ng", 1, "password_rejected"),
        ({"--imap": "imaps://no-such-host.invalid"}, None, 1, "host_not_found"),
        ({"--imap": "imaps://10.0.0.1"}, None, 1, "host_not_allowed"),
        ({"--imap": "http://localhost"}, None, 2, "invalid_input"),
        ({"--owner": "nobody"}, None, 2, "unknown_owner"),
        ({}, "", 2, "unusable_secret"),
        ({"--backend": "app_password"}, "t00 srt", 2, "unusable_secret"),
    ],
)
def test_what_went_wrong_has_a_code_and_an_exit_status(
    owner: Any, anna: SandboxMailbox, changes: dict[str, str], secret: str | None, status: int, code: str
) -> None:
    done = run(anna, "--json", secret=secret, **changes)
    assert (done["status"], done["json"]["error"]["code"]) == (status, code)
    assert done["json"]["account"] == anna.address
    assert set(done["json"]["error"]) == {"code", "remedy", "message"}
    assert done["json"]["error"]["message"] in done["said"]
    assert not MailAccount.objects.exists()


def test_the_servers_of_a_known_domain_need_not_be_given(owner: Any, anna: SandboxMailbox) -> None:
    """The sandbox brings a preset for its own domain."""
    assert run(anna, **{"--imap": "", "--smtp": ""})["status"] == 0
    account = MailAccount.objects.get()
    assert (account.imap, account.smtp) == (anna.sandbox.imap, anna.sandbox.smtp)


def test_the_servers_of_an_unknown_domain_are_asked_for(owner: Any, anna: SandboxMailbox) -> None:
    done = run(anna, "--json", address="anna@nowhere.example", **{"--imap": "", "--smtp": ""})
    assert (done["status"], done["json"]["error"]["code"]) == (2, "unknown_hosts")
    assert "Give them with --imap and --smtp" in done["said"]


def test_connecting_twice_fails_and_changes_nothing(owner: Any, anna: SandboxMailbox) -> None:
    run(anna)
    done = run(anna, "--json")
    assert (done["status"], done["json"]["error"]["code"]) == (1, "already_connected")
    assert MailAccount.objects.count() == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"--owner": ""},
        {"--backend": "xoauth2"},
        {"--backend": "unheard-of"},
        {"--secret-file": "/no/such/file"},
        {"--since": "soon"},
        {"--since": "9999-12-31"},
    ],
)
def test_a_wrong_call_is_a_usage_error(owner: Any, anna: SandboxMailbox, changes: dict[str, str]) -> None:
    assert run(anna, **changes)["status"] == 2


def test_without_a_terminal_the_secret_has_to_be_given(owner: Any, anna: SandboxMailbox) -> None:
    done = run(anna, how=as_an_operator_does, **{"--secret-file": ""})
    assert done["status"] == 2
    assert "--secret-file" in done["said"]
