"""Both sessions, both kinds of credential, both kinds of mail server of the sandbox."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from mailaccounts.backends.xoauth2 import XOAuth2Backend
from mailaccounts.crypto import Secret
from mailaccounts.errors import PasswordRejected, ServerBusy, TokenRejected
from mailaccounts.mail.imap import ImapSession
from mailaccounts.mail.network import Network
from mailaccounts.mail.sasl import Login, OAuthBearer, Plain, XOAuth2
from mailaccounts.mail.smtp import SmtpSession
from mailaccounts.mail.types import Limits
from mailaccounts.oauth.types import AccessToken
from mailaccounts.testing.sandbox import Sandbox
from tests.integration.hostile import Person
from tests.integration.plain_oauth import PlainClient
from tests.integration.sandbox_clients import access_token, imap_connection, smtp_connection
from tests.sandbox_fixtures import new_user

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mailaccounts.mail.sasl import SaslMechanism
    from mailaccounts.testing.sandbox import SandboxUser

Session = type[ImapSession] | type[SmtpSession]


@pytest.fixture(params=["sandbox", "pymap_sandbox"])
def world(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    """Each kind of sandbox in turn."""
    world: Sandbox = request.getfixturevalue(request.param)
    yield world
    world.idp.faults.reset()


@pytest.fixture
def anna(world: Sandbox) -> SandboxUser:
    return world.add_user(new_user())


def sign_in(
    world: Sandbox, session: Session, mechanism: SaslMechanism, *, starttls: bool = False
) -> ImapSession | SmtpSession:
    if session is ImapSession:
        where = world.imap_starttls if starttls else world.imap
    else:
        where = world.smtp_starttls if starttls else world.smtp
    return session.open(where, Person(mechanism), network=network_of(world))


def network_of(world: Sandbox) -> Network:
    return Network.from_text(
        allow=("127.0.0.0/8", "::1"), ports=(), ca_bundle=str(world.ca_file), limits=Limits(read_seconds=15)
    )


@dataclass(frozen=True)
class OneToken:
    """A token source with one token."""

    value: str

    def access_token(self, *, fresh: bool = False) -> AccessToken:
        return AccessToken(value=self.value, expires_at=datetime.now(UTC) + timedelta(hours=1))


@pytest.mark.parametrize("session", [ImapSession, SmtpSession])
@pytest.mark.parametrize("starttls", [False, True])
def test_a_password_signs_in(world: Sandbox, anna: SandboxUser, session: Session, starttls: bool) -> None:
    mechanism = Plain(anna.address, anna.password.encode())
    with sign_in(world, session, mechanism, starttls=starttls) as opened:
        assert opened.capabilities


@pytest.mark.parametrize("session", [ImapSession, SmtpSession])
def test_a_password_signs_in_by_login(world: Sandbox, anna: SandboxUser, session: Session) -> None:
    with sign_in(world, session, Login(anna.address, anna.password.encode())) as opened:
        assert opened.capabilities


@pytest.mark.parametrize("mechanism", [XOAuth2, OAuthBearer])
@pytest.mark.parametrize("session", [ImapSession, SmtpSession])
def test_a_token_signs_in(
    world: Sandbox, anna: SandboxUser, session: Session, mechanism: type[XOAuth2 | OAuthBearer]
) -> None:
    token = access_token(world.idp, anna)
    with sign_in(world, session, mechanism(anna.address, token)) as opened:
        assert opened.capabilities


@pytest.mark.parametrize("session", [ImapSession, SmtpSession])
def test_a_wrong_password_is_rejected(world: Sandbox, anna: SandboxUser, session: Session) -> None:
    with pytest.raises(PasswordRejected):
        sign_in(world, session, Plain(anna.address, b"wrong"))


@pytest.mark.parametrize("mechanism", [XOAuth2, OAuthBearer])
@pytest.mark.parametrize("session", [ImapSession, SmtpSession])
def test_a_token_of_somebody_else_is_rejected_with_its_challenge(
    world: Sandbox, anna: SandboxUser, session: Session, mechanism: type[XOAuth2 | OAuthBearer]
) -> None:
    shown = mechanism(anna.address, access_token(world.idp, world.add_user(new_user())))
    with pytest.raises(TokenRejected):
        sign_in(world, session, shown)
    assert b"status" in shown.challenge


@pytest.mark.parametrize("mechanism", [XOAuth2, OAuthBearer])
@pytest.mark.parametrize("session", [ImapSession, SmtpSession])
def test_a_provider_out_of_order_is_nobodys_bad_token(
    world: Sandbox, anna: SandboxUser, session: Session, mechanism: type[XOAuth2 | OAuthBearer]
) -> None:
    token = access_token(world.idp, anna)
    world.idp.faults.fail(endpoint="introspect")
    with pytest.raises(ServerBusy):
        sign_in(world, session, mechanism(anna.address, token))


@pytest.mark.parametrize("offered", ["XOAUTH2", "OAUTHBEARER"])
def test_tokens_go_by_whichever_mechanism_the_server_offers(sandbox_directory: Path, offered: str) -> None:
    anna = new_user()
    with Sandbox(sandbox_directory, users=[anna], token_mechanisms=[offered]) as world:
        issued = PlainClient(world.idp, "oidc").sign_in(anna)["access_token"]
        authenticator = XOAuth2Backend().authenticator(anna.address, Secret(b""), OneToken(issued))
        for session, where in ((ImapSession, world.imap), (SmtpSession, world.smtp)):
            with session.open(where, authenticator, network=network_of(world)) as opened:
                assert opened.capabilities
        with imap_connection(world.imap, world.ca_file) as imap, smtp_connection(world.smtp, world.ca_file) as smtp:
            announced = " ".join([*imap.capabilities, smtp.esmtp_features["auth"]])
            assert (announced.count("XOAUTH2"), announced.count("OAUTHBEARER")) == (
                (2, 0) if offered == "XOAUTH2" else (0, 2)
            )


def test_pymap_is_read_like_any_other_server(pymap_sandbox: Sandbox) -> None:
    user = pymap_sandbox.add_user(new_user())
    raw = b"From: a@client.example\r\nSubject: Hello\r\nMessage-ID: <x@y>\r\n\r\nText\r\n"
    pymap_sandbox.append(user.address, raw)
    with sign_in(pymap_sandbox, ImapSession, Plain(user.address, user.password.encode())) as session:
        assert isinstance(session, ImapSession)
        assert session.folders()[0].name == "INBOX"
        state = session.select("INBOX")
        assert state.exists == 1
        [uid] = session.search()
        [[headers]] = session.headers([uid])
        assert b"Subject: Hello" in headers.header
        assert headers.size == len(raw)
        assert headers.internal_date.year > 2000
        [body] = session.bodies({uid: 100}, max_bytes=1000)
        assert body.raw == raw
        assert session.search(above=uid) == []
