"""The sandbox's mail servers: Dovecot and pymap the same way, and the submission server before each."""

from __future__ import annotations

import imaplib
import json
import smtplib
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

import imapclient
import pytest

from mailaccounts.testing.sandbox import Sandbox, SandboxUser
from tests.integration.sandbox_clients import (
    Bearer,
    access_token,
    imap_connection,
    msal_app,
    smtp_bearer_login,
    smtp_connection,
    trust,
)
from tests.sandbox_fixtures import new_user

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MESSAGE = b"Message-ID: <%s@sandbox.test>\r\nFrom: a@client.example\r\nSubject: Hello\r\n\r\nText\r\n"


@pytest.fixture(params=["sandbox", "pymap_sandbox"])
def world(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    """Each kind of sandbox in turn."""
    world: Sandbox = request.getfixturevalue(request.param)
    yield world
    world.idp.faults.reset()


@pytest.fixture
def anna(world: Sandbox) -> SandboxUser:
    return world.add_user(new_user())


def test_a_good_token_opens_the_mailbox(world: Sandbox, anna: SandboxUser) -> None:
    with imap_connection(world.imap, world.ca_file) as imap:
        imap.authenticate("XOAUTH2", Bearer(anna.address, access_token(world.idp, anna)))

        assert imap.select("INBOX")[0] == "OK"


@pytest.mark.parametrize("what", ["expired", "revoked", "somebody else's", "made up"])
def test_a_bad_token_is_refused_with_a_challenge(world: Sandbox, anna: SandboxUser, what: str) -> None:
    if what == "somebody else's":
        token = access_token(world.idp, world.add_user(new_user()))
    else:
        token = "made-up" if what == "made up" else access_token(world.idp, anna)
    if what == "expired":
        world.idp.faults.expire_access_tokens(anna.address)
    if what == "revoked":
        world.idp.faults.revoke(anna.address)
    bearer = Bearer(anna.address, token)

    with (
        imap_connection(world.imap, world.ca_file) as imap,
        pytest.raises(imaplib.IMAP4.error, match="AUTHENTICATIONFAILED"),
    ):
        imap.authenticate("XOAUTH2", bearer)

    challenge = json.loads(bearer.challenge)
    assert (challenge["status"], challenge["schemes"]) == ("401", "bearer")


def test_a_provider_out_of_order_is_not_a_bad_token(world: Sandbox, anna: SandboxUser) -> None:
    bearer = Bearer(anna.address, access_token(world.idp, anna))
    world.idp.faults.fail(endpoint="introspect")

    with imap_connection(world.imap, world.ca_file) as imap, pytest.raises(imaplib.IMAP4.error, match="UNAVAILABLE"):
        imap.authenticate("XOAUTH2", bearer)

    assert not bearer.challenge


def test_a_token_that_may_only_send_does_not_read(world: Sandbox, anna: SandboxUser) -> None:
    world.idp.faults.withhold_scopes("IMAP.AccessAsUser.All")
    bearer = Bearer(anna.address, access_token(world.idp, anna))

    with imap_connection(world.imap, world.ca_file) as imap, pytest.raises(imaplib.IMAP4.error):
        imap.authenticate("XOAUTH2", bearer)


@pytest.mark.parametrize("password", ["s3cret", "with:colon and space", "pässwörd€", "{SHA}looks-hashed"])
def test_passwords_of_any_characters_work(world: Sandbox, password: str) -> None:
    user = world.add_user(new_user(password=password))
    response = f"\0{user.address}\0{password}".encode()

    with imap_connection(world.imap, world.ca_file) as imap:
        assert imap.authenticate("PLAIN", lambda _: response)[0] == "OK"


def test_a_wrong_password_and_an_unknown_user_look_the_same(world: Sandbox, anna: SandboxUser) -> None:
    for user in (anna.address, "stranger@sandbox.test"):
        with (
            imap_connection(world.imap, world.ca_file) as imap,
            pytest.raises(imaplib.IMAP4.error, match="AUTHENTICATIONFAILED"),
        ):
            imap.login(user, "guessed")


def test_a_changed_password_counts_at_once(world: Sandbox, anna: SandboxUser) -> None:
    world.append(anna.address, MESSAGE % b"before")
    world.add_user(SandboxUser(address=anna.address, password="changed"))

    with imap_connection(world.imap, world.ca_file) as imap:
        with pytest.raises(imaplib.IMAP4.error):
            imap.login(anna.address, anna.password)
        assert imap.login(anna.address, "changed")[0] == "OK"
    assert world.message_ids(anna.address)["INBOX"] == ["<before@sandbox.test>"]


def test_starttls_leads_to_the_same_mailbox(world: Sandbox, anna: SandboxUser) -> None:
    world.append(anna.address, MESSAGE % b"one")

    with imaplib.IMAP4("localhost", world.imap_starttls.port, timeout=30) as imap:
        imap.starttls(trust(world.ca_file))
        imap.login(anna.address, anna.password)

        assert imap.select("INBOX", readonly=True) == ("OK", [b"1"])


def test_imapclient_reads_what_was_filed(world: Sandbox, anna: SandboxUser) -> None:
    start = datetime(2026, 1, 1, 12, tzinfo=UTC)
    for number in range(10):
        world.append(anna.address, MESSAGE % (b"m%d" % number), when=start + timedelta(days=number))
    with imapclient.IMAPClient("localhost", world.imap.port, ssl_context=trust(world.ca_file), timeout=30) as client:
        client.plain_login(anna.address, anna.password)
        client.select_folder("INBOX", readonly=True)
        every = client.search()

        assert client.search(["UID", f"{every[4]}:*", "SINCE", date(2026, 1, 7)]) == every[6:]
        assert client.search(["UID", f"{every[-1] + 50}:*"]) == [every[-1]]  # RFC 3501: "*" is never beyond the last
        fetched = client.fetch(every, ["FLAGS", "INTERNALDATE", "RFC822.SIZE", "BODY.PEEK[]<0.20>"])
        assert fetched[every[0]][b"BODY[]<0>"] == (MESSAGE % b"m0")[:20]
        assert fetched[every[0]][b"RFC822.SIZE"] == len(MESSAGE % b"m0")
        assert b"\\Seen" not in fetched[every[0]][b"FLAGS"]
        names = client.fetch(every[:1], ["BODY.PEEK[HEADER.FIELDS (FROM SUBJECT)]"])
        (header,) = (value for key, value in names[every[0]].items() if key.startswith(b"BODY[HEADER.FIELDS"))
        assert header.strip().splitlines() == [b"From: a@client.example", b"Subject: Hello"]


def test_the_special_folders_are_announced(world: Sandbox, anna: SandboxUser) -> None:
    with imapclient.IMAPClient("localhost", world.imap.port, ssl_context=trust(world.ca_file), timeout=30) as client:
        client.plain_login(anna.address, anna.password)

        roles = {name: flags for flags, _, name in client.list_folders()}

    assert b"\\Sent" in roles["Sent"]
    assert b"\\Drafts" in roles["Drafts"]
    assert b"\\Trash" in roles["Trash"]


def test_folders_are_made_when_mail_is_filed_there(world: Sandbox, anna: SandboxUser) -> None:
    world.append(anna.address, MESSAGE % b"one", folder="Projects/Acme")
    world.append(anna.address, b"Subject: without an id\r\n\r\n", folder="Projects/Acme")

    assert world.message_ids(anna.address)["Projects/Acme"] == ["<one@sandbox.test>", ""]


@pytest.mark.parametrize("port", ["smtp", "smtp_starttls"])
@pytest.mark.parametrize("how", ["password", "token"])
def test_mail_sent_to_a_sandbox_address_arrives(world: Sandbox, anna: SandboxUser, port: str, how: str) -> None:
    recipient = world.add_user(new_user())
    with smtp_connection(getattr(world, port), world.ca_file) as smtp:
        if how == "password":
            smtp.login(anna.address, anna.password)
        else:
            smtp_bearer_login(smtp, Bearer(anna.address, access_token(world.idp, anna)))

        assert smtp.sendmail(anna.address, [recipient.address], MESSAGE % b"sent") == {}

    assert world.message_ids(recipient.address)["INBOX"] == ["<sent@sandbox.test>"]


def test_mail_for_elsewhere_is_kept_in_the_outbox(world: Sandbox, anna: SandboxUser) -> None:
    before = len(world.outbox())
    with smtp_connection(world.smtp, world.ca_file) as smtp:
        smtp.login(anna.address, anna.password)
        smtp.sendmail(anna.address, ["client@elsewhere.example"], MESSAGE % b"out")

    (kept,) = world.outbox()[before:]
    assert kept == b"X-Envelope-To: client@elsewhere.example\r\n" + MESSAGE % b"out"


def test_nobody_is_reached_who_is_not_there(world: Sandbox, anna: SandboxUser) -> None:
    with smtp_connection(world.smtp, world.ca_file) as smtp:
        smtp.login(anna.address, anna.password)

        with pytest.raises(smtplib.SMTPRecipientsRefused) as refused:
            smtp.sendmail(anna.address, ["stranger@sandbox.test"], MESSAGE % b"x")

    assert refused.value.recipients["stranger@sandbox.test"][0] == 550


def test_people_send_as_themselves_only(world: Sandbox, anna: SandboxUser) -> None:
    with smtp_connection(world.smtp, world.ca_file) as smtp:
        smtp.login(anna.address, anna.password)

        with pytest.raises(smtplib.SMTPSenderRefused):
            smtp.sendmail("somebody-else@sandbox.test", [anna.address], MESSAGE % b"x")


def test_a_bad_token_sends_nothing_and_gets_a_challenge(world: Sandbox, anna: SandboxUser) -> None:
    bearer = Bearer(anna.address, "made-up")
    with smtp_connection(world.smtp, world.ca_file) as smtp, pytest.raises(smtplib.SMTPAuthenticationError) as refused:
        smtp_bearer_login(smtp, bearer)

    assert refused.value.smtp_code == 535
    assert json.loads(bearer.challenge)["status"] == "401"


def test_nobody_sends_without_signing_in(world: Sandbox, anna: SandboxUser) -> None:
    with smtp_connection(world.smtp, world.ca_file) as smtp:
        with pytest.raises(smtplib.SMTPException):
            smtp.login(anna.address, "guessed")
        with pytest.raises(smtplib.SMTPSenderRefused):
            smtp.sendmail(anna.address, [anna.address], MESSAGE % b"x")


def test_an_application_token_opens_any_mailbox_of_pymap(pymap_sandbox: Sandbox) -> None:
    anna = pymap_sandbox.add_user(new_user())
    result = msal_app(pymap_sandbox.idp).acquire_token_for_client(["https://outlook.office365.com/.default"])

    with imap_connection(pymap_sandbox.imap, pymap_sandbox.ca_file) as imap:
        imap.authenticate("XOAUTH2", Bearer(anna.address, result["access_token"]))
        assert imap.select()[0] == "OK"


def test_oauthbearer_may_tell_host_and_port(world: Sandbox, anna: SandboxUser) -> None:
    token = access_token(world.idp, anna)
    response = f"n,a={anna.address},\1host=localhost\1port=993\1auth=Bearer {token}\1\1".encode()

    with imap_connection(world.imap, world.ca_file) as imap:
        assert imap.authenticate("OAUTHBEARER", lambda _: response)[0] == "OK"


def test_rawlogs_show_the_clients_and_not_our_own(sandbox: Sandbox) -> None:
    anna = sandbox.add_user(new_user())
    sandbox.append(anna.address, MESSAGE % b"one")
    with imap_connection(sandbox.imap, sandbox.ca_file) as imap:
        imap.login(anna.address, anna.password)
        imap.select("INBOX", readonly=True)
        imap.fetch("1", "(BODY.PEEK[HEADER])")

    (log,) = sandbox.rawlogs(anna.address)

    assert [line.split()[1] for line in log.commands] == ["EXAMINE", "FETCH", "LOGOUT"]
    assert b"Subject: Hello" in log.received
    assert anna.password.encode() not in log.sent


def test_dovecot_can_pretend_to_know_little(sandbox_directory: Path) -> None:
    anna = new_user()
    with Sandbox(sandbox_directory, users=[anna], imap_capability="IMAP4rev1 UIDPLUS") as plain:
        client = imapclient.IMAPClient("localhost", plain.imap.port, ssl_context=trust(plain.ca_file), timeout=30)
        client.plain_login(anna.address, anna.password)

        assert set(client.capabilities()) == {b"IMAP4REV1", b"UIDPLUS"}
        client.logout()


def test_more_users_have_mailboxes_than_dovecot_takes_connections(sandbox: Sandbox) -> None:
    users = [sandbox.add_user(new_user()) for _ in range(110)]
    for user in users:
        sandbox.append(user.address, MESSAGE % b"one")
    assert all(len(sandbox.message_ids(user.address)["INBOX"]) == 1 for user in (users[0], users[-1]))
