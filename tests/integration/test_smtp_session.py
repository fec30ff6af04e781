"""SmtpSession: signing in, refusals, and servers that misbehave, over real sockets and TLS."""

from __future__ import annotations

import base64
import itertools
from functools import partial
from typing import TYPE_CHECKING

import pytest

from mailaccounts.errors import (
    AdminActionNeeded,
    BudgetExceeded,
    CapabilityMissing,
    CertificateUntrusted,
    ConnectionLost,
    ConnectionTimedOut,
    MailAccountsError,
    NetworkError,
    PasswordRejected,
    ProtocolFault,
    ServerBusy,
    StartTlsRefused,
    TlsNotSpoken,
    TokenRejected,
)
from mailaccounts.mail.sasl import Login, Plain, XOAuth2
from mailaccounts.mail.smtp import SmtpSession
from mailaccounts.mail.types import Security
from tests.integration import hostile
from tests.integration.hostile import SECRET, Authority, HostileServer, Peer, Person, endpoint

if TYPE_CHECKING:
    from collections.abc import Callable

    from mailaccounts.mail.sasl import SaslMechanism

HELLO = b"250-mail.example.com\r\n250-PIPELINING\r\n250-AUTH PLAIN LOGIN XOAUTH2\r\n250 SIZE 1000\r\n"
LONG_TOKEN = "t" * 2000


use = partial(hostile.use, session=SmtpSession)
refused = partial(hostile.refused, session=SmtpSession)


def greeted(peer: Peer) -> None:
    """The honest part: greeting and EHLO."""
    peer.send(b"220 mail.example.com ESMTP\r\n")
    assert peer.line() == b"ehlo [127.0.0.1]\r\n"
    peer.send(HELLO)


def answering(*answers: bytes) -> Callable[[Peer], None]:
    """Honest until AUTH, then a line from ``answers`` for each line of the client."""

    def script(peer: Peer) -> None:
        greeted(peer)
        for answer in answers:
            peer.line()
            peer.send(answer, b"\r\n")
        peer.line()

    return script


def decoded(heard: bytes) -> list[bytes]:
    """What the client said in its AUTH conversation, without the base64."""
    lines = [line.removeprefix(b"AUTH ").split(b" ") for line in heard.split(b"\r\n")[1:]]
    said = [
        words[-1]
        for words in lines
        if words[0] not in {b"", b"QUIT"} and words[0] not in {b"PLAIN", b"LOGIN", b"XOAUTH2"}
    ]
    return [base64.b64decode(word) for word in said]


# --- signing in ---


def test_plain_signs_in(authority: Authority) -> None:
    told: list[frozenset[str]] = []
    script = answering(b"334 ", b"235 in", b"221 bye")
    heard = use(authority, script, lambda session: told.append(session.capabilities))
    assert decoded(heard) == [b"\0jo@example.com\0" + SECRET]
    assert told[0] == {"PIPELINING", "SIZE", "AUTH", "AUTH=PLAIN", "AUTH=LOGIN", "AUTH=XOAUTH2"}
    assert heard.endswith(b"QUIT\r\n")


def test_login_lets_the_server_speak_first(authority: Authority) -> None:
    script = answering(b"334 VXNlcm5hbWU6", b"334 UGFzc3dvcmQ6", b"235 in", b"221 bye")
    heard = use(authority, script, mechanism=Login("jö", "pä".encode()))
    assert heard.split(b"\r\n")[1] == b"AUTH LOGIN"
    assert decoded(heard) == ["jö".encode(), "pä".encode()]


def test_a_token_of_any_length_fits(authority: Authority) -> None:
    script = answering(b"334 ", b"235 in", b"221 bye")
    heard = use(authority, script, mechanism=XOAuth2("jo@example.com", LONG_TOKEN))
    assert heard.split(b"\r\n")[1] == b"AUTH XOAUTH2"
    assert decoded(heard)[0] == f"user=jo@example.com\1auth=Bearer {LONG_TOKEN}\1\1".encode()


def test_a_refused_token_keeps_the_challenge_and_ends_properly(authority: Authority) -> None:
    mechanism = XOAuth2("jo@example.com", LONG_TOKEN)
    script = answering(b"334 ", b"334 eyJzdGF0dXMiOiI0MDAifQ==", b"535 5.7.8 no")
    refused(authority, TokenRejected, script, mechanism=mechanism)
    assert mechanism.challenge == b'{"status":"400"}'


def test_a_wrong_password_is_tried_once_and_never_told(authority: Authority) -> None:
    heard = []

    def script(peer: Peer) -> None:
        greeted(peer)
        heard.append(peer.line())
        peer.send(b"334 \r\n")
        while True:
            heard.append(peer.line())
            peer.send(b"535 5.7.8 the-secret-of-the-account is wrong\r\n")

    error = refused(authority, PasswordRejected, script)
    assert len(heard) == 2  # AUTH and one response
    assert SECRET.decode() not in repr(error) + str(error.as_json())


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (
            b"535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Tenant.",
            AdminActionNeeded,
        ),
        (b"454 4.7.0 Temporary authentication failure", ServerBusy),
        (b"503 5.5.1 already authenticated", ProtocolFault),
        (b"334 not base64!", ProtocolFault),
        (b"504 5.5.4 what", CapabilityMissing),
    ],
)
def test_other_refusals_of_a_login_name_their_cause(
    authority: Authority, answer: bytes, expected: type[MailAccountsError]
) -> None:
    refused(authority, expected, answering(b"334 ", answer))


def test_starttls_encrypts_before_anything_is_told(authority: Authority) -> None:
    plain = []

    def script(peer: Peer) -> None:
        peer.send(b"220 hello\r\n")
        plain.append(peer.line())
        peer.send(b"250-mail.example.com\r\n250-AUTH NTLM\r\n250 STARTTLS\r\n")
        plain.append(peer.line())
        peer.send(b"220 go\r\n")
        peer.start_tls()
        assert peer.line() == b"ehlo [127.0.0.1]\r\n"
        peer.send(HELLO)
        peer.line()
        peer.send(b"334 \r\n")
        peer.line()
        peer.send(b"235 in\r\n")
        peer.line()

    told: list[frozenset[str]] = []
    use(authority, script, lambda session: told.append(session.capabilities), security=Security.STARTTLS)
    assert plain == [b"ehlo [127.0.0.1]\r\n", b"STARTTLS\r\n"]
    assert not told[0] & {"AUTH=NTLM", "STARTTLS"}


# --- misbehaving ---


def test_without_starttls_no_secret_is_sent(authority: Authority) -> None:
    def stripped(peer: Peer) -> None:
        greeted(peer)
        peer.line()

    def denied(peer: Peer) -> None:
        peer.send(b"220 hello\r\n")
        peer.line()
        peer.send(b"250-AUTH PLAIN\r\n250 STARTTLS\r\n")
        peer.line()
        peer.send(b"502 no\r\n")
        peer.line()

    for script in (stripped, denied):
        refused(authority, StartTlsRefused, script, security=Security.STARTTLS)


def test_replies_injected_before_tls_are_refused(authority: Authority) -> None:
    def script(peer: Peer) -> None:
        peer.send(b"220 hello\r\n")
        peer.line()
        peer.send(b"250-mail.example.com\r\n250 STARTTLS\r\n")
        peer.line()
        peer.send(b"220 go\r\n250-mail.example.com\r\n250 AUTH PLAIN\r\n")
        peer.start_tls()
        peer.line()

    refused(authority, ProtocolFault, script, security=Security.STARTTLS)


def test_a_plain_port_is_not_taken_for_tls(authority: Authority) -> None:
    def script(peer: Peer) -> None:
        peer.send(b"220 hello\r\n")
        peer.line()

    with (
        HostileServer(script, context=authority.context(), tls=False) as server,
        pytest.raises(TlsNotSpoken),
    ):
        SmtpSession.open(endpoint(server.port, protocol="smtp"), Person(), network=authority.network())


@pytest.mark.parametrize("security", list(Security))
def test_a_certificate_for_another_name_is_refused_and_the_credential_kept(
    authority: Authority, security: Security
) -> None:
    def script(peer: Peer) -> None:
        peer.send(b"220 hello\r\n")
        peer.line()
        peer.send(b"250-mail.example.com\r\n250 STARTTLS\r\n")
        peer.line()
        peer.send(b"220 go\r\n")
        peer.start_tls()

    person, context = Person(), authority.context("mail.example.com")
    with (
        HostileServer(script, context=context, tls=security is Security.TLS) as server,
        pytest.raises(CertificateUntrusted),
    ):
        where = endpoint(server.port, protocol="smtp", security=security)
        SmtpSession.open(where, person, network=authority.network())
    assert not person.asked


@pytest.mark.parametrize(
    ("greeting", "expected"),
    [
        (b"421 4.3.2 too busy\r\n", ServerBusy),
        (b"554 5.7.1 go away\r\n", NetworkError),
        (b"* OK IMAP4rev1\r\n", ProtocolFault),
        (b"\xff\0\xfe\r\n", ProtocolFault),
        (b"", ConnectionLost),
        (b"220 hel", ConnectionLost),
    ],
)
def test_a_greeting_that_is_none(authority: Authority, greeting: bytes, expected: type[MailAccountsError]) -> None:
    refused(authority, expected, lambda peer: peer.send(greeting))


@pytest.mark.parametrize("flood", [b"220-more\r\n" * 100, b"220-" + b"x" * 65_536, b"220-" + b"x" * 2000 + b"\r\n"])
def test_an_endless_greeting_ends(authority: Authority, flood: bytes) -> None:
    refused(authority, BudgetExceeded, lambda peer: peer.stream(itertools.repeat(flood)))


def test_endless_challenges_end(authority: Authority) -> None:
    refused(authority, ProtocolFault, answering(*[b"334 "] * 50))


def test_a_drip_does_not_outlive_the_deadline(authority: Authority) -> None:
    refused(authority, ConnectionTimedOut, lambda peer: peer.drip(b"220-patience\r\n"))


def test_silence_times_out(authority: Authority) -> None:
    def script(peer: Peer) -> None:
        peer.line()

    refused(authority, ConnectionTimedOut, script)


def test_a_mechanism_the_server_does_not_offer_is_not_tried(authority: Authority) -> None:
    class Choosy:
        def mechanism(self, offered: frozenset[str], *, fresh: bool = False) -> SaslMechanism:
            assert offered == {"PLAIN", "LOGIN", "XOAUTH2"}
            raise CapabilityMissing(host="The server", what="what we want")

    with HostileServer(answering(), context=authority.context()) as server:
        with pytest.raises(CapabilityMissing):
            SmtpSession.open(endpoint(server.port, protocol="smtp"), Choosy(), network=authority.network())
        assert b"AUTH" not in server.heard


def test_no_frame_of_a_failed_login_holds_the_credential(authority: Authority) -> None:
    error = refused(
        authority, ConnectionLost, answering(b"334 "), mechanism=Plain("jo@example.com", b"another-secret")
    )
    traceback, encoded = error.__traceback__, base64.b64encode(b"another-secret")[:12].decode()
    while traceback is not None:
        if "/tests/" not in traceback.tb_frame.f_code.co_filename:
            assert "another-secret" not in repr(traceback.tb_frame.f_locals)
            assert encoded not in repr(traceback.tb_frame.f_locals)
        traceback = traceback.tb_next
