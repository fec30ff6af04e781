"""Values the mail room takes and gives."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

from mailaccounts.errors import UnusableServerUrl

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from mailaccounts.mail.uids import UidRanges


class Security(StrEnum):
    """How a connection is encrypted; there is no third way."""

    TLS = "tls"  # implicit TLS (RFC 8314)
    STARTTLS = "starttls"


SCHEMES = {
    "imaps": ("imap", Security.TLS, 993),
    "imap+starttls": ("imap", Security.STARTTLS, 143),
    "smtps": ("smtp", Security.TLS, 465),
    "smtp+starttls": ("smtp", Security.STARTTLS, 587),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """A server: ``protocol`` is "imap" or "smtp"."""

    protocol: str
    host: str
    port: int
    security: Security

    @classmethod
    def from_url(cls, url: str, *, protocol: str) -> Endpoint:
        """Reads ``imaps://host:port`` or ``imap+starttls://…`` (smtp likewise); UnusableServerUrl otherwise."""
        try:
            parts = urlsplit(url)
            scheme_protocol, security, default_port = SCHEMES[parts.scheme]
            host, port = parts.hostname, parts.port or default_port
        except (KeyError, ValueError):
            raise UnusableServerUrl(protocol=protocol) from None
        if scheme_protocol != protocol or not host or parts.username or parts.path.strip("/"):
            raise UnusableServerUrl(protocol=protocol)
        return cls(protocol=protocol, host=host, port=port, security=security)

    @property
    def url(self) -> str:
        suffix = "s" if self.security is Security.TLS else "+starttls"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.protocol}{suffix}://{host}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one connection may cost. Seconds and bytes; the deadline is for the whole session."""

    connect_seconds: float = 15
    read_seconds: float = 30
    session_seconds: float = 600
    slowest_bytes_per_second: int = 16_384  # a command's ``read_seconds`` grow with what it received at this rate
    line_bytes: int = 65_536
    list_bytes: int = 8 * 2**20  # the one line that may be longer: a SEARCH answer, good for a million messages
    literal_bytes: int = 32 * 2**20
    command_bytes: int = 40 * 2**20  # all a server may send in answer to one command
    untagged_lines: int = 50_000  # per command


class FolderRole(StrEnum):
    """What a folder is for: INBOX and the special uses of RFC 6154."""

    INBOX = "inbox"
    ALL = "all"
    ARCHIVE = "archive"
    DRAFTS = "drafts"
    FLAGGED = "flagged"
    JUNK = "junk"
    SENT = "sent"
    TRASH = "trash"
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderStatus:
    """What STATUS told of a folder (RFC 9051 §6.3.11). ``highestmodseq`` is None without CONDSTORE."""

    uidvalidity: int
    uidnext: int
    exists: int
    highestmodseq: int | None = None
    mailbox_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderInfo:
    """A line of LIST: ``name`` decoded from modified UTF-7, exactly as later SELECTs need it. ``status`` when it was
    asked for, and the server has LIST-STATUS."""

    name: str
    delimiter: str
    role: FolderRole
    selectable: bool
    status: FolderStatus | None = None
    mailbox_id: str = ""  # what stays the same when a folder is renamed (RFC 8474), where the server has it


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is known of a folder before it is opened: changes since ``modseq`` are told with it (RFC 7162 §3.2.5).

    ``uids`` are the only messages whose changes matter; None when all do.
    """

    uidvalidity: int
    modseq: int
    uids: Sequence[int] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderState:
    """What SELECT or EXAMINE told (RFC 9051 §6.3.2). ``highestmodseq`` is None without CONDSTORE.

    If ``resynced``, then ``vanished`` and ``changed`` (UID to flags) hold all that was expunged and all whose flags
    changed among what was ``Known``, and maybe other messages as well. Otherwise they are empty.
    """

    uidvalidity: int
    uidnext: int
    exists: int
    highestmodseq: int | None = None
    mailbox_id: str = ""
    resynced: bool = False
    vanished: UidRanges = ()
    changed: Mapping[int, frozenset[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Marks:
    """What a person may change of a message: its flags and, at Gmail, its labels. ``labels`` is None where the server
    has none, or didn't tell."""

    flags: frozenset[str]
    labels: frozenset[str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Provided:
    """What some providers tell of a message beyond IMAP: ``id`` is their own name for it, the same in every folder,
    and ``thread`` that of its conversation (RFC 8474 §5, or Gmail's); "" where there is none. ``labels`` as in Marks.
    """

    id: str = ""
    thread: str = ""
    labels: frozenset[str] | None = None


NOTHING = Provided()


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchedHeaders:
    """One message as the header fetch gives it: ``header`` is the raw block of the fields we ask for."""

    uid: int
    size: int
    internal_date: datetime
    flags: frozenset[str]
    provided: Provided = NOTHING
    header: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchedBody:
    """One message as ``BODY.PEEK[]<0.N>`` gives it; ``truncated`` when it is longer than N."""

    uid: int
    raw: bytes = field(repr=False)
    truncated: bool = False


class Meter(Protocol):
    """Who counts what a session costs. ``spend`` is called before each command and may raise an error of ours, which
    ends the session; ``close`` when its connection is closed, once or more."""

    def spend(self, traffic: Traffic) -> None: ...

    def close(self, traffic: Traffic) -> None: ...


@dataclass(slots=True)
class Traffic:
    """What a session cost so far, which ``meter`` is told. ``round_trips`` are the waits on its way: commands sent
    together count once. ``handed_over`` when somebody goes on with the bare connection, and says little.
    ``certificate_ends`` is when the server's certificate does, in seconds of the epoch."""

    round_trips: int = 0
    commands: int = 0
    bytes_received: int = 0
    handed_over: bool = False
    meter: Meter | None = None
    certificate_ends: float | None = None

    def command(self, count: int = 1) -> None:
        """So many commands are about to be sent; raises what the meter does."""
        self.commands += count
        if self.meter is not None:
            self.meter.spend(self)
