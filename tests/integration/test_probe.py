"""probe_mailbox: each step into a mailbox with its time, and where it ends: why, and what helps."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import pytest
from django.core.management import CommandError, call_command

from mailaccounts.mail.types import Security
from tests.app.builders import make_credential
from tests.integration.hostile import SECRET, Authority, HostileServer, Peer, endpoint, imap_login, tag

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytest_django.fixtures import SettingsWrapper

    from mailaccounts.models import MailAccount
    from tests.sandbox_fixtures import SandboxMailbox

pytestmark = pytest.mark.django_db(transaction=True)

KEYS = ["account", "server", "step", "status", "milliseconds", "details", "error"]
CONNECTED = ["dns", "policy", "tcp", "tls", "greeting", "capabilities"]


def probe(*arguments: str) -> tuple[list[dict[str, Any]], int]:
    """The steps, and the exit status."""
    out, status = io.StringIO(), 0
    try:
        call_command("probe_mailbox", *arguments, "--json", stdout=out)
    except SystemExit as ended:
        status = int(ended.code or 0)
    return [json.loads(line) for line in out.getvalue().splitlines()], status


def names(steps: list[dict[str, Any]], *, server: str = "imap") -> list[str]:
    return [step["step"] for step in steps if step["server"] == server]


def found(steps: list[dict[str, Any]], name: str) -> Any:
    return next(step["details"] for step in steps if step["step"] == name)


@pytest.fixture
def trusting(authority: Authority, settings: SettingsWrapper) -> Authority:
    """The CRM trusts the hostile servers' certificates, and may connect to them."""
    settings.MAILACCOUNTS = {
        **settings.MAILACCOUNTS,
        "CA_BUNDLE": str(authority.ca_file),
        "ALLOW_PRIVATE_HOSTS": ["127.0.0.0/8"],
    }
    return authority


def at(
    authority: Authority,
    script: Callable[[Peer], None],
    *arguments: str,
    security: Security = Security.TLS,
    names: tuple[str, ...] = (),
) -> tuple[list[dict[str, Any]], int]:
    """Probes a server that plays ``script``."""
    with HostileServer(script, context=authority.context(*names), tls=security is Security.TLS) as server:
        return probe("--imap", endpoint(server.port, security=security).url, *arguments)


def test_a_connected_mailbox_is_gone_through_to_its_inbox(account: MailAccount, mailbox: SandboxMailbox) -> None:
    steps, status = probe(account.address.upper())
    assert status == 0
    assert names(steps) == [*CONNECTED, "login", "select"]
    assert names(steps, server="smtp") == [*CONNECTED, "login"]
    assert all(list(step) == KEYS for step in steps)
    assert {(step["account"], step["status"], step["error"]) for step in steps} == {(account.address, "ok", None)}
    assert sum(step["milliseconds"] for step in steps) > 0
    assert found(steps, "tls")["version"] == "TLSv1.3"
    assert found(steps, "tls")["issuer"]
    assert found(steps, "tls")["expires"] > "2026-01-01"
    assert "IMAP4REV1" in found(steps, "capabilities")["capabilities"]
    assert found(steps, "select") == {"messages": 0}
    assert mailbox.password not in json.dumps(steps)


def test_people_read_a_table(account: MailAccount) -> None:
    out = io.StringIO()
    call_command("probe_mailbox", account.address, stdout=out)
    lines = out.getvalue().splitlines()
    assert lines[0] == account.address
    assert lines[1].split() == ["SERVER", "STEP", "RESULT", "MS"]
    assert [line.split()[:3] for line in lines[2:4]] == [["imap", "dns", "ok"], ["imap", "policy", "ok"]]


def test_without_a_credential_nobody_signs_in(mailbox: SandboxMailbox, account: MailAccount) -> None:
    sandbox = mailbox.sandbox
    steps, status = probe("--imap", sandbox.imap.url, "--smtp", sandbox.smtp.url)
    assert (status, names(steps), names(steps, server="smtp")) == (0, CONNECTED, CONNECTED)
    assert {step["account"] for step in steps} == {None}


def test_a_password_may_be_tried_at_a_server(mailbox: SandboxMailbox, account: MailAccount, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(mailbox.password)
    login = ("--username", mailbox.address, "--secret-file", str(tmp_path / "secret"))
    steps, status = probe("--imap", mailbox.sandbox.imap.url, *login)
    assert (status, names(steps)) == (0, [*CONNECTED, "login", "select"])


def test_a_refused_password_is_not_shown_to_the_next_server(account: MailAccount) -> None:
    account.credentials.all().delete()
    make_credential(account, "wr0ng")
    steps, status = probe(account.address)
    assert status == 1
    assert (names(steps)[-1], steps[6]["status"]) == ("login", "failed")
    assert (steps[6]["error"]["code"], list(steps[6]["error"])) == ("password_rejected", ["code", "remedy", "message"])
    assert (steps[-1]["server"], steps[-1]["step"], steps[-1]["status"]) == ("smtp", "login", "skipped")


def test_an_account_without_a_credential_says_so(account: MailAccount) -> None:
    account.credentials.all().delete()
    steps, status = probe(account.address)
    assert (status, names(steps)[-1], steps[6]["error"]["code"]) == (1, "login", "credential_missing")


@pytest.mark.parametrize(
    ("url", "passed", "code"),
    [
        ("imaps://no-such-host.invalid", [], "host_not_found"),
        ("imaps://10.0.0.1", ["dns"], "host_not_allowed"),
        ("imaps://10.0.0.1:22", [], "port_not_allowed"),
    ],
)
def test_where_a_host_may_not_be_reached_the_step_is_named(url: str, passed: list[str], code: str) -> None:
    steps, status = probe("--imap", url)
    *before, last = steps
    assert (status, names(before), last["error"]["code"]) == (1, passed, code)
    assert last["step"] == ("dns" if code == "host_not_found" else "policy")


def test_a_closed_port_is_told_from_a_missing_host(trusting: Authority, closed_port: int) -> None:
    steps, status = probe("--imap", endpoint(closed_port).url)
    assert (status, names(steps), steps[-1]["error"]["code"]) == (1, ["dns", "policy", "tcp"], "connection_refused")


def test_a_certificate_for_somebody_else_fails_tls(trusting: Authority) -> None:
    steps, status = at(trusting, imap_login, names=("mail.example.com",))
    assert (status, names(steps)[-1], steps[-1]["error"]["code"]) == (1, "tls", "certificate_untrusted")


def test_a_server_that_speaks_plain_text_fails_tls(trusting: Authority) -> None:
    def script(peer: Peer) -> None:
        peer.send(b"* OK ready\r\n")
        peer.line()

    with HostileServer(script, context=trusting.context(), tls=False) as server:
        steps, status = probe("--imap", endpoint(server.port).url)
    assert (status, names(steps)[-1], steps[-1]["error"]["code"]) == (1, "tls", "tls_not_spoken")


def test_a_server_that_hangs_up_fails_the_greeting(trusting: Authority) -> None:
    steps, status = at(trusting, lambda peer: None)
    assert (status, names(steps)[-1], steps[-1]["error"]["code"]) == (1, "greeting", "connection_lost")


def starttls(peer: Peer) -> None:
    peer.send(b"* OK hello\r\n")
    peer.send(b"* CAPABILITY IMAP4rev1 STARTTLS\r\n", tag(peer.line()), b" OK .\r\n")
    peer.send(tag(peer.line()), b" OK begin\r\n")
    peer.start_tls()
    peer.send(b"* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\n", tag(peer.line()), b" OK .\r\n")


def test_with_starttls_the_greeting_comes_first(trusting: Authority) -> None:
    steps, status = at(trusting, starttls, security=Security.STARTTLS)
    assert status == 0
    assert names(steps) == ["dns", "policy", "tcp", "greeting", "starttls", "tls", "capabilities"]
    assert found(steps, "capabilities")["capabilities"] == ["AUTH=PLAIN", "IMAP4REV1"]


def test_a_server_without_starttls_fails_that_step(trusting: Authority) -> None:
    def script(peer: Peer) -> None:
        peer.send(b"* OK hello\r\n")
        peer.send(b"* CAPABILITY IMAP4rev1\r\n", tag(peer.line()), b" OK .\r\n")

    steps, status = at(trusting, script, security=Security.STARTTLS)
    assert (status, names(steps)[-1], steps[-1]["error"]["code"]) == (1, "starttls", "starttls_refused")


def test_a_mailbox_that_does_not_open_fails_select(trusting: Authority, tmp_path: Path) -> None:
    def script(peer: Peer) -> None:
        imap_login(peer)
        peer.send(tag(peer.line()), b" NO [NOPERM] \x1b[31mthe-words-of-the-server\r\n")

    (tmp_path / "secret").write_bytes(SECRET)
    login = ("--username", "jo@example.com", "--secret-file", str(tmp_path / "secret"))
    steps, status = at(trusting, script, *login)
    assert (status, names(steps)[-1], steps[-1]["error"]["code"]) == (1, "select", "permission_missing")
    assert "the-words" not in json.dumps(steps)


def test_what_a_server_calls_its_capabilities_does_not_steer_the_terminal(trusting: Authority) -> None:
    def script(peer: Peer) -> None:
        peer.send(b"* OK \x1b[31mred\r\n")
        peer.send(b"* CAPABILITY IMAP4rev1 \x1b[31mRED ", b"X" * 500, b" IDLE\r\n", tag(peer.line()), b" OK .\r\n")

    steps, status = at(trusting, script)
    assert (status, found(steps, "capabilities")) == (0, {"capabilities": ["IDLE", "IMAP4REV1"]})


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["nobody@example.test"],
        ["nobody@example.test", "--imap", "imaps://imap.example.test"],
        ["--imap", "http://imap.example.test"],
        ["--imap", "imaps://imap.example.test", "--smtp", "imaps://smtp.example.test"],
        ["--imap", "imaps://imap.example.test", "--secret-file", "-"],
        ["--imap", "imaps://imap.example.test", "--username", "anna", "--secret-file", "/no/such/file"],
    ],
)
def test_a_call_that_makes_no_sense_is_a_usage_error(arguments: list[str]) -> None:
    with pytest.raises(CommandError) as caught:
        call_command("probe_mailbox", *arguments, stdout=io.StringIO())
    assert caught.value.returncode == 2
