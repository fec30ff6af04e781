"""Who else opens a mailbox in the sandbox: people it is shared with, and applications, unless it is closed to them."""

from __future__ import annotations

import json
import smtplib
import time
from typing import TYPE_CHECKING

import jwt
import pytest

from mailaccounts.testing.sandbox import SandboxUser
from tests.integration.plain_oauth import PlainClient
from tests.integration.sandbox_clients import (
    Bearer,
    access_token,
    imap_connection,
    msal_app,
    smtp_bearer_login,
    smtp_connection,
)
from tests.sandbox_fixtures import new_user

if TYPE_CHECKING:
    from mailaccounts.testing.sandbox import Sandbox

MESSAGE = b"Message-ID: <%s@sandbox.test>\r\nFrom: a@client.example\r\nSubject: Hello\r\n\r\nText\r\n"


@pytest.fixture(params=["sandbox", "pymap_sandbox"])
def world(request: pytest.FixtureRequest) -> Sandbox:
    """Each kind of sandbox in turn."""
    world: Sandbox = request.getfixturevalue(request.param)
    return world


@pytest.fixture
def info(world: Sandbox) -> SandboxUser:
    """A mailbox that Anna opens too."""
    return world.add_user(new_user())


@pytest.fixture
def anna(world: Sandbox, info: SandboxUser) -> SandboxUser:
    anna = new_user()
    return world.add_user(SandboxUser(address=anna.address, password=anna.password, shared=(info.address,)))


def opens(world: Sandbox, address: str, token: str) -> bool:
    with imap_connection(world.imap, world.ca_file) as imap:
        try:
            imap.authenticate("XOAUTH2", Bearer(address, token))
        except imap.error:
            return False
        return imap.select()[0] == "OK"


def sends(world: Sandbox, address: str, token: str) -> bool:
    with smtp_connection(world.smtp, world.ca_file) as smtp:
        try:
            return smtp_bearer_login(smtp, Bearer(address, token))[0] == 235
        except smtplib.SMTPAuthenticationError:
            return False


def closed(world: Sandbox) -> SandboxUser:
    user = new_user()
    return world.add_user(SandboxUser(address=user.address, password=user.password, closed_to_apps=True))


def application_token(world: Sandbox) -> str:
    result = msal_app(world.idp).acquire_token_for_client(["https://outlook.office365.com/.default"])
    return str(result["access_token"])


def delegated_token(world: Sandbox, address: str) -> str:
    """What Google's service account gets in somebody's name."""
    account, now = json.loads(world.idp.service_account_key), int(time.time())
    claims = {"iss": account["client_email"], "scope": "https://mail.google.com/", "aud": account["token_uri"]}
    assertion = jwt.encode(
        {**claims, "iat": now, "exp": now + 600, "sub": address}, account["private_key"], algorithm="RS256"
    )
    _, answer = PlainClient(world.idp, "google").token(
        grant_type="urn:ietf:params:oauth:grant-type:jwt-bearer", assertion=assertion
    )
    return str(answer["access_token"])


def test_a_persons_token_opens_the_mailboxes_shared_with_them(
    world: Sandbox, anna: SandboxUser, info: SandboxUser
) -> None:
    world.append(info.address, MESSAGE % b"for-info")
    token = access_token(world.idp, anna)

    with imap_connection(world.imap, world.ca_file) as imap:
        imap.authenticate("XOAUTH2", Bearer(info.address.upper(), token))
        assert imap.select() == ("OK", [b"1"])
    assert opens(world, anna.address, token)
    assert not opens(world, world.add_user(new_user()).address, token)


def test_sharing_goes_one_way(world: Sandbox, anna: SandboxUser, info: SandboxUser) -> None:
    assert not opens(world, anna.address, access_token(world.idp, info))


def test_sharing_ends_at_once(world: Sandbox, anna: SandboxUser, info: SandboxUser) -> None:
    token = access_token(world.idp, anna)
    assert opens(world, info.address, token)

    world.add_user(SandboxUser(address=anna.address, password=anna.password))

    assert not opens(world, info.address, token)
    assert opens(world, anna.address, token)


def test_a_password_does_not_open_a_shared_mailbox(world: Sandbox, anna: SandboxUser, info: SandboxUser) -> None:
    with imap_connection(world.imap, world.ca_file) as imap, pytest.raises(imap.error):
        imap.login(info.address, anna.password)


def test_a_person_signs_in_to_send_and_sends_as_the_shared_mailbox(
    world: Sandbox, anna: SandboxUser, info: SandboxUser
) -> None:
    token = access_token(world.idp, anna)
    stranger = world.add_user(new_user())

    assert not sends(world, info.address, token)
    with smtp_connection(world.smtp, world.ca_file) as smtp:
        smtp_bearer_login(smtp, Bearer(anna.address, token))
        smtp.sendmail(info.address, [stranger.address], MESSAGE % b"from-info")
        with pytest.raises(smtplib.SMTPSenderRefused):
            smtp.sendmail(stranger.address, [anna.address], MESSAGE % b"from-stranger")
    assert world.message_ids(stranger.address)["INBOX"] == ["<from-info@sandbox.test>"]


@pytest.mark.parametrize("kind", ["microsoft", "google"])
def test_an_application_opens_and_sends_from_any_mailbox_but_the_closed(
    world: Sandbox, anna: SandboxUser, kind: str
) -> None:
    barred = closed(world)
    tokens = {
        user.address: application_token(world) if kind == "microsoft" else delegated_token(world, user.address)
        for user in (anna, barred)
    }

    assert opens(world, anna.address, tokens[anna.address])
    assert sends(world, anna.address, tokens[anna.address])
    assert not opens(world, barred.address, tokens[barred.address])
    assert not sends(world, barred.address, tokens[barred.address])
    assert not opens(world, "nobody@sandbox.test", tokens[anna.address])


def test_a_service_account_opens_nobody_elses_mailbox(world: Sandbox, anna: SandboxUser) -> None:
    assert not opens(world, world.add_user(new_user()).address, delegated_token(world, anna.address))


def test_a_mailbox_closed_to_applications_opens_for_its_owner(world: Sandbox) -> None:
    barred = closed(world)

    assert opens(world, barred.address, access_token(world.idp, barred))


def test_what_is_shared_has_to_be_somebodys_mailbox(world: Sandbox) -> None:
    with pytest.raises(ValueError, match="nobody's mailbox: gone@"):
        world.add_user(SandboxUser(address="a@sandbox.test", password="x", shared=("gone@sandbox.test",)))
