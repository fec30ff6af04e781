"""What each answer of a server means to us."""

from __future__ import annotations

import pytest

from mailaccounts import errors
from mailaccounts.mail.responses import (
    Code,
    Condition,
    Refused,
    Status,
    bye_error,
    command_error,
    login_error,
    smtp_error,
)

HOST = "mail.example.com"
PASSWORD, TOKEN = "PLAIN", "XOAUTH2"


def test_codes_are_types_and_text_stays_out_of_sight() -> None:
    status = Status.parse("NO", b"[authenticationfailed] the secret is hunter2")
    assert (status.condition, status.code) == (Condition.NO, Code.AUTHENTICATIONFAILED)
    assert "hunter2" not in repr(status) + str(Refused(status)) + repr(Refused(status))
    assert Status.parse("NO", b"[X-UNKNOWN 1 2] text").code is None
    assert Status.parse("NO", b"\xff\xfe no code").code is None


@pytest.mark.parametrize(
    ("answer", "mechanism", "expected"),
    [
        (b"NO", PASSWORD, errors.PasswordRejected),
        (b"NO AUTHENTICATE failed.", TOKEN, errors.TokenRejected),
        (b"NO AUTHENTICATE failed.", "OAUTHBEARER", errors.TokenRejected),
        (b"NO LOGIN failed.", PASSWORD, errors.PasswordRejected),
        (b"NO [AUTHENTICATIONFAILED] Invalid credentials (Failure)", PASSWORD, errors.PasswordRejected),
        (b"NO [AUTHENTICATIONFAILED] Invalid credentials (Failure)", TOKEN, errors.TokenRejected),
        (b"NO [AUTHENTICATIONFAILED] Please try again", PASSWORD, errors.PasswordRejected),
        (b"NO [EXPIRED] your password", PASSWORD, errors.PasswordRejected),
        (b"NO [AUTHORIZATIONFAILED] no such box", TOKEN, errors.PermissionMissing),
        (b"NO [NOPERM] no", PASSWORD, errors.PermissionMissing),
        (b"NO [UNAVAILABLE] Temporary authentication failure. [host:2026]", TOKEN, errors.ServerBusy),
        (b"NO [INUSE] locked", PASSWORD, errors.ServerBusy),
        (b"NO [SERVERBUG] oops", PASSWORD, errors.ServerBusy),
        (b"NO Server Unavailable. 15", PASSWORD, errors.ServerBusy),
        (b"NO Temporary error, please try again", PASSWORD, errors.ServerBusy),
        (b"NO [LIMIT] Maximum number of connections from user+IP exceeded", PASSWORD, errors.Throttled),
        (b"NO [ALERT] Too many simultaneous connections. (Failure)", TOKEN, errors.Throttled),
        (b"NO [OVERQUOTA] Account exceeded command or bandwidth limits. (Failure)", TOKEN, errors.Throttled),
        (b"NO [CONTACTADMIN] call us", PASSWORD, errors.AdminActionNeeded),
        (b"NO [PRIVACYREQUIRED] encrypt", PASSWORD, errors.CapabilityMissing),
        (
            b"NO [ALERT] Application-specific password required: https://support.example (Failure)",
            PASSWORD,
            errors.AppPasswordNeeded,
        ),
        (b"NO [ALERT] Please log in via your web browser: https://x", PASSWORD, errors.BrowserSignInNeeded),
        (b"BAD User is authenticated but not connected.", TOKEN, errors.MailboxNotConnected),
        (b"BAD Request is throttled. Suggested Backoff Time: 2000 milliseconds", TOKEN, errors.Throttled),
        (b"BAD Invalid SASL argument", TOKEN, errors.ProtocolFault),
    ],
)
def test_a_refused_login_names_its_cause(
    answer: bytes, mechanism: str, expected: type[errors.MailAccountsError]
) -> None:
    condition, _, text = answer.partition(b" ")
    error = login_error(Status.parse(condition.decode(), text), host=HOST, mechanism=mechanism)
    assert type(error) is expected
    assert HOST in error.message


@pytest.mark.parametrize(
    ("answer", "folder", "expected"),
    [
        (b"NO [NONEXISTENT] Mailbox doesn't exist", "Foo", errors.FolderMissing),
        (b"NO [TRYCREATE] Mailbox doesn't exist", "Foo", errors.FolderMissing),
        (b"NO Foo doesn't exist.", "Foo", errors.FolderMissing),
        (b"NO what", "INBOX", errors.PermissionMissing),
        (b"NO [NONEXISTENT] Unknown Mailbox: INBOX", "INBOX", errors.PermissionMissing),  # not just a folder less
        (b"NO [NOPERM] yours it is not", "Foo", errors.PermissionMissing),
        (b"NO [UNAVAILABLE] Internal error", "INBOX", errors.ServerBusy),
        (b"NO Internal error occurred. Refer to server log", "INBOX", errors.ServerBusy),
        (b"NO [OVERQUOTA] Account exceeded command or bandwidth limits.", "", errors.Throttled),
        (b"BAD User is authenticated but not connected.", "INBOX", errors.MailboxNotConnected),
        (b"BAD Request is throttled. Suggested Backoff Time: 201317 milliseconds", "", errors.Throttled),
        (b"BAD Unknown command", "", errors.ProtocolFault),
        (b"NO could not be converted", "", errors.ProtocolFault),
    ],
)
def test_a_refused_command_names_its_cause(
    answer: bytes, folder: str, expected: type[errors.MailAccountsError]
) -> None:
    condition, _, text = answer.partition(b" ")
    assert type(command_error(Status.parse(condition.decode(), text), host=HOST, folder=folder)) is expected


def test_no_space_left_is_only_about_writing() -> None:
    status = Status.parse("NO", b"[OVERQUOTA] Quota exceeded")
    assert type(command_error(status, host=HOST, writing=True)) is errors.MailboxFull
    assert type(command_error(status, host=HOST)) is errors.Throttled


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"Autologout; idle for too long", errors.ServerBusy),
        (b"[UNAVAILABLE] shutting down", errors.ServerBusy),
        (b"[LIMIT] enough", errors.Throttled),
        (b"Too many connections", errors.Throttled),
    ],
)
def test_goodbye_is_never_the_accounts_fault(text: bytes, expected: type[errors.MailAccountsError]) -> None:
    assert type(bye_error(Status.parse("BYE", text), host=HOST)) is expected


def test_a_pause_the_server_asks_for_is_kept_in_seconds() -> None:
    status = Status.parse("BAD", b"Request is throttled. Suggested Backoff Time: 201317 milliseconds")
    error = command_error(status, host=HOST)
    assert isinstance(error, errors.Throttled)
    assert error.retry_after == pytest.approx(201.317)


@pytest.mark.parametrize(
    ("code", "reply", "mechanism", "expected"),
    [
        (535, b"5.7.8 Username and Password not accepted", PASSWORD, errors.PasswordRejected),
        (535, b"5.7.3 Authentication unsuccessful [HOST]", TOKEN, errors.TokenRejected),
        (535, b"5.7.3 Authentication unsuccessful [HOST]", "OAUTHBEARER", errors.TokenRejected),
        (
            535,
            b"5.7.139 Authentication unsuccessful, the user credentials were incorrect.",
            PASSWORD,
            errors.PasswordRejected,
        ),
        (
            535,
            b"5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Tenant.",
            TOKEN,
            errors.AdminActionNeeded,
        ),
        (
            535,
            b"5.7.139 Authentication unsuccessful, user is locked by your organization's security defaults policy.",
            PASSWORD,
            errors.AdminActionNeeded,
        ),
        (534, b"5.7.9 Application-specific password required.", PASSWORD, errors.AppPasswordNeeded),
        (534, b"5.7.14 Please log in via your web browser", PASSWORD, errors.BrowserSignInNeeded),
        (454, b"4.7.0 Temporary authentication failure", PASSWORD, errors.ServerBusy),
        (454, b"4.7.0 Too many login attempts, please try again later.", PASSWORD, errors.Throttled),
        (421, b"4.3.2 Service not available", "", errors.ServerBusy),
        (451, b"4.3.0 try later", PASSWORD, errors.ServerBusy),
        (432, b"4.7.12 A password transition is needed", PASSWORD, errors.AdminActionNeeded),
        (530, b"5.7.0 Must issue a STARTTLS command first", PASSWORD, errors.CapabilityMissing),
        (538, b"5.7.11 Encryption required", PASSWORD, errors.CapabilityMissing),
        (504, b"5.5.4 Unrecognized authentication type", PASSWORD, errors.CapabilityMissing),
        (550, b"5.7.60 SMTP; Client does not have permissions to send as this sender", "", errors.SenderRefused),
        (554, b"5.2.252 SendAsDenied; anna@a.test not allowed to send as info@a.test", "", errors.SenderRefused),
        (550, b"5.1.1 The email account that you tried to reach does not exist.", "", errors.RecipientRefused),
        (553, b"5.1.3 Invalid address", "", errors.RecipientRefused),
        (550, b"5.4.5 Daily user sending limit exceeded.", "", errors.Throttled),
        (552, b"5.2.2 Submission quota exceeded", "", errors.Throttled),
        (554, b"5.7.1 Blocked", "", errors.NetworkError),
        (500, b"5.5.2 Syntax", PASSWORD, errors.ProtocolFault),
        (-1, b"", PASSWORD, errors.ProtocolFault),
        (250, b"fine", PASSWORD, errors.ProtocolFault),
    ],
)
def test_an_smtp_reply_names_its_cause(
    code: int, reply: bytes, mechanism: str, expected: type[errors.MailAccountsError]
) -> None:
    assert type(smtp_error(code, reply, host=HOST, mechanism=mechanism)) is expected
