"""What servers answer, as types, and the error each answer stands for.

The code decides first (RFC 5530; RFC 3463 for SMTP); a short list of vendors' sentences decides where a vendor sends
no code. None of a server's text gets into an error.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum

from mailaccounts.errors import (
    AdminActionNeeded,
    AppPasswordNeeded,
    BrowserSignInNeeded,
    CapabilityMissing,
    ChangeRefused,
    FolderMissing,
    MailAccountsError,
    MailboxFull,
    MailboxNotConnected,
    NetworkError,
    PasswordRejected,
    PermissionMissing,
    ProtocolFault,
    RecipientRefused,
    SenderRefused,
    ServerBusy,
    Throttled,
    TokenRejected,
)

TOKEN_MECHANISMS = frozenset({"XOAUTH2", "OAUTHBEARER"})


class Condition(StrEnum):
    """How a status response begins (RFC 9051 §7.1)."""

    OK = "OK"
    NO = "NO"
    BAD = "BAD"
    BYE = "BYE"


class Code(StrEnum):
    """The response codes that change what we do (RFC 5530, RFC 9051 §7.1); any other is None."""

    ALERT = "ALERT"
    ALREADYEXISTS = "ALREADYEXISTS"
    AUTHENTICATIONFAILED = "AUTHENTICATIONFAILED"
    AUTHORIZATIONFAILED = "AUTHORIZATIONFAILED"
    CANNOT = "CANNOT"
    CLIENTBUG = "CLIENTBUG"
    CONTACTADMIN = "CONTACTADMIN"
    CORRUPTION = "CORRUPTION"
    EXPIRED = "EXPIRED"
    EXPUNGEISSUED = "EXPUNGEISSUED"
    INUSE = "INUSE"
    LIMIT = "LIMIT"
    NONEXISTENT = "NONEXISTENT"
    NOPERM = "NOPERM"
    OVERQUOTA = "OVERQUOTA"
    PRIVACYREQUIRED = "PRIVACYREQUIRED"
    SERVERBUG = "SERVERBUG"
    TRYCREATE = "TRYCREATE"
    UNAVAILABLE = "UNAVAILABLE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """A tagged or BYE response. ``text`` is the server's: for classifying and the DEBUG log, never for an error."""

    condition: Condition
    code: Code | None = None
    text: str = field(default="", repr=False)

    @classmethod
    def parse(cls, condition: str, data: bytes) -> Status:
        """Reads what follows NO, BAD or BYE: ``[CODE arguments] text``."""
        text = data[:1000].decode("utf-8", "replace")
        match = re.match(r"\s*\[([A-Za-z0-9-]+)", text)
        word = match[1].upper() if match else ""
        return cls(condition=Condition(condition), code=Code.__members__.get(word), text=text)


class Refused(Exception):
    """A NO or BAD. Lives inside the mail room only, which knows what the command was and so what the answer means."""

    def __init__(self, status: Status) -> None:
        self.status = status
        super().__init__(f"{status.condition} {status.code or ''}".strip())


# What vendors say where a code would do, most telling first.
NOT_CONNECTED = re.compile(r"authenticated but not connected", re.IGNORECASE)
THROTTLED = re.compile(
    r"throttl|backoff time|too many (simultaneous|connections|login|failed|auth)|rate limit|bandwidth limit"
    r"|maximum number of connections|try again later.*(limit|too many)",
    re.IGNORECASE,
)
BACKOFF = re.compile(r"backoff time:\s*(\d{1,12})\s*milliseconds", re.IGNORECASE)
APP_PASSWORD = re.compile(r"application-specific password|app(lication)? password|InvalidSecondFactor", re.IGNORECASE)
BROWSER = re.compile(r"web ?browser|web login required|WebLoginRequired", re.IGNORECASE)
SWITCHED_OFF = re.compile(
    r"SmtpClientAuthentication is disabled|security defaults policy|did not meet the criteria"
    r"|basic authentication is disabled|(imap|smtp)( access)? is (disabled|not enabled)|not enabled for imap",
    re.IGNORECASE,
)
OUT_OF_ORDER = re.compile(
    r"temporar|try again|server (is )?(currently )?unavailable|service (is )?(currently )?(not available|unavailable)"
    r"|internal (server )?error|backend error|timed? ?out",
    re.IGNORECASE,
)


def bye_error(status: Status, *, host: str) -> MailAccountsError:
    """BYE: the server ends the connection; nothing about the credential follows from it."""
    if NOT_CONNECTED.search(status.text):
        return MailboxNotConnected(mailbox=f"at {host}")
    if status.code in {Code.LIMIT, Code.OVERQUOTA} or THROTTLED.search(status.text):
        return _throttled(status.text, host)
    return ServerBusy(host=host)


def login_error(status: Status, *, host: str, mechanism: str) -> MailAccountsError:
    """NO or BAD to AUTHENTICATE or LOGIN."""
    match status.code:
        case Code.UNAVAILABLE | Code.INUSE | Code.SERVERBUG | Code.CORRUPTION:
            return ServerBusy(host=host)
        case Code.LIMIT | Code.OVERQUOTA:
            return _throttled(status.text, host)
        case Code.AUTHORIZATIONFAILED | Code.NOPERM:
            return PermissionMissing(mailbox=f"at {host}")
        case Code.PRIVACYREQUIRED:
            return CapabilityMissing(host=host, what="sign-in over this kind of connection")
    told = _by_vendor(status.text, host)
    if told is not None:
        return told
    if status.code is Code.CONTACTADMIN:
        return AdminActionNeeded(host=host)
    if status.code not in {Code.AUTHENTICATIONFAILED, Code.EXPIRED}:
        if OUT_OF_ORDER.search(status.text):
            return ServerBusy(host=host)
        if status.condition is Condition.BAD:
            return ProtocolFault(host=host)
    return rejected(host=host, mechanism=mechanism)


def command_error(status: Status, *, host: str, folder: str = "", writing: bool = False) -> MailAccountsError:
    """NO or BAD to a command after the login, about ``folder`` when the command named one."""
    match status.code:
        case Code.NONEXISTENT | Code.TRYCREATE if folder != "INBOX":
            return FolderMissing(folder=folder)
        case Code.NOPERM | Code.AUTHORIZATIONFAILED:
            return PermissionMissing(mailbox=folder or f"at {host}")
        case Code.OVERQUOTA if writing:
            return MailboxFull()
        case Code.LIMIT | Code.OVERQUOTA:
            return _throttled(status.text, host)
        case Code.CONTACTADMIN:
            return AdminActionNeeded(host=host)
        case Code.UNAVAILABLE | Code.INUSE | Code.SERVERBUG | Code.CORRUPTION:
            return ServerBusy(host=host)
    told = _by_vendor(status.text, host)
    if told is not None:
        return told
    if OUT_OF_ORDER.search(status.text):
        return ServerBusy(host=host)
    if status.condition is Condition.NO and writing:
        return ChangeRefused(host=host)
    if status.condition is Condition.NO and folder:
        # A NO to SELECT: without its INBOX a mailbox is closed to us, any other folder is just not there.
        return PermissionMissing(mailbox=f"at {host}") if folder == "INBOX" else FolderMissing(folder=folder)
    return ProtocolFault(host=host)


def smtp_error(code: int, reply: bytes, *, host: str, mechanism: str = "") -> MailAccountsError:
    """A negative SMTP reply, to AUTH when ``mechanism`` is given (RFC 4954 §6, RFC 3463)."""
    text = reply[:1000].decode("utf-8", "replace")
    told = _by_vendor(text, host)
    if told is not None:
        return told
    enhanced = re.match(r"\s*([245]\.\d{1,3}\.\d{1,3})", text)
    match code, enhanced[1] if enhanced else "":
        case _, "5.7.139" if "credentials were incorrect" not in text:
            return AdminActionNeeded(host=host)
        case 432, _:
            return AdminActionNeeded(host=host)  # the server's administrator has to convert the password
        case _, "5.7.60" | "5.2.252":  # Exchange: SendAsDenied, by the two names it has had
            return SenderRefused(host=host)
        case (552, "5.2.2") | (550, "5.4.5"):  # Exchange's and Gmail's daily limits
            return Throttled(host=host)
        case 400 | 421 | 450 | 451 | 452 | 454, _:
            return ServerBusy(host=host)
        case 530 | 538 | 504, _:
            return CapabilityMissing(host=host, what="this kind of sign-in")
        case 534, "5.7.9":
            return AppPasswordNeeded(host=host)
        case (534 | 535 | 550 | 554, _) if mechanism:
            return rejected(host=host, mechanism=mechanism)
        case (550 | 551 | 553, what) if what.startswith("5.1."):  # RFC 3463 §3.2: addressing
            return RecipientRefused(host=host)
        case 554, _:
            return NetworkError(host=host)  # the server doesn't want to talk to this machine
    return ProtocolFault(host=host)


def rejected(*, host: str, mechanism: str) -> PasswordRejected | TokenRejected:
    """The plain refusal of a credential."""
    return TokenRejected(host=host) if mechanism in TOKEN_MECHANISMS else PasswordRejected(host=host)


def forget(error: MailAccountsError) -> MailAccountsError:
    """``error`` without its past: the frames below a login hold the credential on its way to the wire."""
    error.__context__ = error.__cause__ = None
    return error.with_traceback(None)


def _by_vendor(text: str, host: str) -> MailAccountsError | None:
    if NOT_CONNECTED.search(text):
        return MailboxNotConnected(mailbox=f"at {host}")
    if THROTTLED.search(text):
        return _throttled(text, host)
    if SWITCHED_OFF.search(text):
        return AdminActionNeeded(host=host)
    if APP_PASSWORD.search(text):
        return AppPasswordNeeded(host=host)
    if BROWSER.search(text):
        return BrowserSignInNeeded(host=host)
    return None


def _throttled(text: str, host: str) -> Throttled:
    told = BACKOFF.search(text)
    return Throttled(retry_after=int(told[1]) / 1000 if told else None, host=host)
