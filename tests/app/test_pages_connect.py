"""Connecting by password through the page: what works, and what each mistake says."""

from __future__ import annotations

import socket
import socketserver
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from django_q.models import OrmQ

from mailaccounts.models import Credential, MailAccount
from tests.app.builders import make_account, make_user
from tests.app.pages import connect_data, problem, server_data

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.test import Client
    from pytest_django.fixtures import SettingsWrapper

    from tests.sandbox_fixtures import SandboxMailbox

pytestmark = pytest.mark.django_db
CONNECT = "/settings/email-accounts/connect/"


@pytest.fixture
def signed_in(client: Client) -> Client:
    client.force_login(make_user("anna"))
    return client


@pytest.fixture
def plain_server() -> Iterator[int]:
    """A port that speaks first and in plain text, as IMAP on 143 does."""

    class Greeting(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.sendall(b"* OK ready\r\n")
            with suppress(OSError):  # the client hangs up when it sees this is no TLS
                self.request.recv(1024)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Greeting) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


def nothing_is_stored() -> bool:
    return not MailAccount.objects.exists() and not Credential.objects.exists() and not OrmQ.objects.exists()


@pytest.mark.usefixtures("world")
def test_a_mailbox_is_connected_and_the_secret_is_sealed(signed_in: Client, mailbox: SandboxMailbox) -> None:
    response = signed_in.post(CONNECT, connect_data(mailbox), follow=True)
    account = MailAccount.objects.get()
    assert response.redirect_chain == [(f"/settings/email-accounts/{account.pk}/", 302)]
    assert "is connected. Mail is brought in, the newest first." in response.content.decode()
    assert account.credentials.get().secret.reveal_text() == mailbox.password
    assert mailbox.password not in response.content.decode()


@pytest.mark.usefixtures("world")
def test_servers_of_a_known_provider_need_not_be_typed(signed_in: Client, mailbox: SandboxMailbox) -> None:
    signed_in.post(CONNECT, {"address": mailbox.address, "password": mailbox.password})
    assert MailAccount.objects.get().imap == mailbox.sandbox.imap
    assert MailAccount.objects.get().smtp == mailbox.sandbox.smtp


@pytest.mark.usefixtures("world")
def test_a_mailbox_without_smtp_only_reads(signed_in: Client, mailbox: SandboxMailbox) -> None:
    data = connect_data(mailbox)
    del data["smtp_host"]
    signed_in.post(CONNECT, data)
    assert MailAccount.objects.get().smtp is None


def test_unknown_servers_are_asked_for(signed_in: Client) -> None:
    response = signed_in.post(CONNECT, {"address": "me@nowhere.example", "password": "x"})
    assert problem(response) == (
        "unknown_hosts",
        "We don't know the mail servers of nowhere.example. Enter the IMAP and SMTP servers by hand; "
        "your provider's help pages list them.",
    )
    assert '<details class="options" open>' in response.content.decode()


@pytest.mark.usefixtures("world")
def test_a_wrong_password_says_so(signed_in: Client, mailbox: SandboxMailbox) -> None:
    response = signed_in.post(CONNECT, connect_data(mailbox, password="wr0ng-secret"))
    code, words = problem(response)
    assert code == "password_rejected"
    assert words.startswith("localhost did not accept the user name or password. Check both;")
    assert "wr0ng-secret" not in response.content.decode()
    assert nothing_is_stored()


@pytest.mark.usefixtures("world")
@pytest.mark.parametrize("kind", ["imap", "smtp"])
def test_a_wrong_host_says_so(signed_in: Client, mailbox: SandboxMailbox, kind: str) -> None:
    code, words = problem(signed_in.post(CONNECT, connect_data(mailbox, **{f"{kind}_host": "no-such-host.invalid"})))
    assert code in {"host_not_found", "host_lookup_failed"}  # a resolver that can't be asked doesn't know
    assert "no-such-host.invalid" in words
    assert nothing_is_stored()


@pytest.mark.usefixtures("world")
@pytest.mark.parametrize("kind", ["imap", "smtp"])
def test_a_closed_port_says_so(signed_in: Client, mailbox: SandboxMailbox, kind: str) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        code, words = problem(signed_in.post(CONNECT, connect_data(mailbox, **{f"{kind}_port": str(port)})))
    assert code == "connection_refused"
    assert words.startswith(f"localhost does not answer on port {port}. Check the port;")
    assert nothing_is_stored()


@pytest.mark.usefixtures("world")
def test_tls_to_a_plain_port_says_so(signed_in: Client, mailbox: SandboxMailbox, plain_server: int) -> None:
    code, words = problem(signed_in.post(CONNECT, connect_data(mailbox, imap_port=str(plain_server))))
    assert code == "tls_not_spoken"
    assert words == (
        f"localhost does not speak TLS on port {plain_server}. "
        "Choose STARTTLS for this port, or use 993 for IMAP and 465 for SMTP."
    )
    assert nothing_is_stored()


@pytest.mark.usefixtures("world")
def test_an_untrusted_certificate_says_so(
    signed_in: Client, mailbox: SandboxMailbox, settings: SettingsWrapper
) -> None:
    settings.MAILACCOUNTS = {**settings.MAILACCOUNTS, "CA_BUNDLE": ""}
    code, words = problem(signed_in.post(CONNECT, connect_data(mailbox)))
    assert code == "certificate_untrusted"
    assert words.startswith("The certificate of localhost can't be trusted.")
    assert "MAILACCOUNTS_CA_BUNDLE" in words
    assert nothing_is_stored()


@pytest.mark.parametrize("host", ["localhost", "127.1", "10.1.2.3", "169.254.169.254"])
def test_a_private_host_says_so_and_is_not_reached(signed_in: Client, host: str) -> None:
    data = {"address": "me@private.example", "password": "x", "imap_host": host, "imap_port": "993"}
    code, words = problem(signed_in.post(CONNECT, data))
    assert code == "host_not_allowed"
    assert f"{host} is in a private or reserved network" in words
    assert nothing_is_stored()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"address": "nonsense"}, "Enter a valid email address."),
        ({"address": ""}, "This field is required."),
        ({"password": ""}, "This field is required."),
        ({"imap_port": "99999"}, "less than or equal to 65535"),
        ({"imap_security": "none"}, "Select a valid choice."),
        ({"since": "2999-01-01"}, "This day is still to come."),
        ({"since": "soon"}, "Enter a valid date."),
    ],
)
def test_what_is_wrong_in_a_field_is_said_beside_it(signed_in: Client, changes: dict[str, str], words: str) -> None:
    page = signed_in.post(CONNECT, {"address": "a@b.example", "password": "the-s3cret", **changes}).content.decode()
    assert words in page
    assert "the-s3cret" not in page
    assert nothing_is_stored()


@pytest.mark.parametrize("field", ["username", "imap_host"])
def test_a_line_break_never_reaches_a_server(signed_in: Client, field: str) -> None:
    data = {"address": "a@b.example", "password": "x", "imap_host": "mail.b.example", field: "a\r\nA1 LOGOUT"}
    assert "alert-danger" in signed_in.post(CONNECT, data).content.decode()
    assert nothing_is_stored()


@pytest.mark.usefixtures("world")
def test_a_connected_address_is_not_connected_twice(client: Client, mailbox: SandboxMailbox) -> None:
    account = make_account(address=mailbox.address.upper())
    client.force_login(account.owner)
    code, words = problem(client.post(CONNECT, connect_data(mailbox)))
    assert code == "already_connected"
    assert "is already connected" in words
    assert MailAccount.objects.count() == 1


def test_too_many_tries_have_to_wait(signed_in: Client, settings: SettingsWrapper) -> None:
    settings.MAILACCOUNTS = {**settings.MAILACCOUNTS, "CONNECTION_TESTS": 2}
    data = {"address": "me@private.example", "password": "x", "imap_host": "127.0.0.1"}
    codes = [problem(signed_in.post(CONNECT, data))[0] for _ in range(3)]
    assert codes == ["host_not_allowed", "host_not_allowed", "too_many_attempts"]


@pytest.mark.usefixtures("world")
def test_reconnecting_with_a_new_password_keeps_the_account(signed_in: Client, mailbox: SandboxMailbox) -> None:
    signed_in.post(CONNECT, connect_data(mailbox))
    account = MailAccount.objects.get()
    reconnect = f"/settings/email-accounts/{account.pk}/reconnect/"
    wrong = signed_in.post(reconnect, {"username": mailbox.address, "password": "wr0ng"})
    assert problem(wrong)[0] == "password_rejected"
    assert account.credentials.get(state="active").secret.reveal_text() == mailbox.password
    right = signed_in.post(reconnect, {"username": mailbox.address, "password": mailbox.password}, follow=True)
    assert "is connected again" in right.content.decode()
    assert MailAccount.objects.get().pk == account.pk


@pytest.mark.usefixtures("world")
def test_starttls_works_as_well(signed_in: Client, mailbox: SandboxMailbox) -> None:
    data = (
        connect_data(mailbox) | server_data(mailbox.sandbox.imap_starttls) | server_data(mailbox.sandbox.smtp_starttls)
    )
    signed_in.post(CONNECT, data)
    assert MailAccount.objects.get().imap == mailbox.sandbox.imap_starttls
