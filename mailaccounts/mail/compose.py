"""Writes messages as they go out (RFC 5322, RFC 2045): in ASCII throughout, so that any server takes them.

What a person typed, or a stranger's message said, gets into headers and the envelope only after it was looked at:
a line break would be a header or a command of its own.
"""

from __future__ import annotations

import re
import secrets
import unicodedata
from contextlib import suppress
from dataclasses import dataclass, field
from email import message_from_bytes
from email.errors import MessageError
from email.message import EmailMessage
from email.utils import format_datetime
from typing import TYPE_CHECKING

import idna

from mailaccounts.errors import InvalidInput, UnsafeArgument
from mailaccounts.mail import written_headers
from mailaccounts.mail.written_headers import POLICY

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

MOST_REFERENCES = 30  # in the header: the first, and the newest
MAX_ADDRESS = 254  # octets; RFC 5321 §4.5.3.1.3, as its erratum 1690 has it
MAX_NAME = 255
MAX_SUBJECT = 2000

MESSAGE_ID = re.compile(r"[!-;=?-~]{1,255}")  # printable ASCII, no white space, no angle brackets
LOCAL_PART = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")  # dot-atom
CONTENT_TYPE = re.compile(r"[A-Za-z0-9!#$&^_.+-]{1,60}/[A-Za-z0-9!#$&^_.+-]{1,60}")
UNSAFE = frozenset({"Cc", "Cs", "Zl", "Zp"})  # control characters, half characters, line and paragraph separators


@dataclass(frozen=True, slots=True, kw_only=True)
class Mailbox:
    """Somebody's address, with the name that is shown for it."""

    address: str
    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Enclosure:
    """A file that goes along. ``message/rfc822`` is a message in wire form."""

    name: str
    content_type: str
    content: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What a message says. Message-IDs are without angle brackets, ``references`` oldest first; ``date`` is aware.

    Recipients in ``bcc`` are none of the message's business: they are in the envelope only.
    """

    sender: Mailbox
    to: tuple[Mailbox, ...] = ()
    cc: tuple[Mailbox, ...] = ()
    message_id: str
    date: datetime
    subject: str = ""
    text: str = field(default="", repr=False)
    html: str = field(default="", repr=False)
    in_reply_to: str = ""
    references: tuple[str, ...] = ()
    enclosures: tuple[Enclosure, ...] = ()


def compose(draft: Draft) -> bytes:
    """The message in wire form. UnsafeArgument for line breaks and control characters in what becomes a header,
    InvalidInput for an address or a file type that is none."""
    message = EmailMessage(POLICY)
    message["From"] = _addresses((draft.sender,), what="The sender")
    for name, mailboxes in (("To", draft.to), ("Cc", draft.cc)):
        if mailboxes:
            message[name] = _addresses(mailboxes, what="A recipient")
    message["Subject"] = written_headers.text(safe(draft.subject, what="The subject", most=MAX_SUBJECT))
    message["Date"] = format_datetime(draft.date)
    for name, ids in (
        ("Message-ID", (draft.message_id,)),
        ("In-Reply-To", usable_ids((draft.in_reply_to,))),
        ("References", bounded(usable_ids(draft.references))),
    ):
        if ids:
            message[name] = written_headers.message_ids(ids)
    message.set_content(_body(draft.text))
    if draft.html:
        message.add_alternative(_body(draft.html), subtype="html")
    for enclosure in draft.enclosures:
        _enclose(message, enclosure)
    return _in_ascii(message)


def adopt(raw: bytes, *, sender: Mailbox, message_id: str) -> bytes:
    """A message that somebody else composed, with this sender and Message-ID, without Bcc, and in ASCII like ours."""
    message = message_from_bytes(raw, policy=POLICY)
    for name in ("From", "Message-ID", "Bcc", "Resent-Bcc"):
        del message[name]
    message["From"] = _addresses((sender,), what="The sender")
    message["Message-ID"] = written_headers.message_ids((message_id,))
    return _in_ascii(message)


def wire_address(address: str) -> str:
    """``address`` as servers take it: its domain in ASCII (IDNA 2008). UnsafeArgument, or InvalidInput when it is none
    or has letters before the @ that most servers don't take (RFC 6531)."""
    what = "A mail address"
    local, at, domain = safe(address, what=what).strip().rpartition("@")
    shown = f"The address “{address.strip()[:100]}”"
    if not at or not LOCAL_PART.fullmatch(local) or len(local) > 64:
        raise InvalidInput(what=shown if address.strip() else what)
    try:
        name = idna.encode(domain, uts46=True).decode("ascii")
    except (idna.IDNAError, UnicodeError):
        raise InvalidInput(what=shown) from None
    if len(local) + 1 + len(name) > MAX_ADDRESS:
        raise InvalidInput(what=shown)
    return f"{local}@{name}"


def new_message_id(address: str) -> str:
    """A Message-ID that nobody else has, at the domain of ``address``; without angle brackets."""
    return f"{secrets.token_hex(16)}@{wire_address(address).rpartition('@')[2]}"


def bounded(references: tuple[str, ...]) -> tuple[str, ...]:
    """The first, which names the conversation, and the newest of too many (RFC 5537 §3.4.4 cuts them so as well)."""
    if len(references) <= MOST_REFERENCES:
        return references
    return (references[0], *references[1 - MOST_REFERENCES :])


def usable_ids(message_ids: Iterable[str]) -> tuple[str, ...]:
    """Those that can stand in a header, each once. What a stranger's message calls its own may be anything."""
    return tuple(dict.fromkeys(each for each in message_ids if MESSAGE_ID.fullmatch(each)))


def safe(text: str, *, what: str, most: int = 1000) -> str:
    """``text`` if it is fit for a header, else UnsafeArgument; InvalidInput when it is longer than anybody means."""
    if any(unicodedata.category(character) in UNSAFE for character in text):
        raise UnsafeArgument(what=what)
    if len(text) > most:
        raise InvalidInput(what=f"{what}, which is too long,")
    return text


def _addresses(mailboxes: Iterable[Mailbox], *, what: str) -> str:
    return ", ".join(
        written_headers.mailbox(safe(each.name, what=f"{what}'s name", most=MAX_NAME), wire_address(each.address))
        for each in mailboxes
    )


def _body(text: str) -> str:
    if "\0" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise UnsafeArgument(what="The text")
    return text


def _in_ascii(message: EmailMessage) -> bytes:
    """In wire form; InvalidInput for what came from elsewhere and is in no shape for that."""
    try:
        raw = message.as_bytes()
    except (ValueError, LookupError, TypeError, AttributeError, MessageError):
        raise InvalidInput(what="The message") from None
    if not raw.isascii():
        raise InvalidInput(what="The message")
    return raw


def _enclose(message: EmailMessage, enclosure: Enclosure) -> None:
    name = safe(enclosure.name, what="The name of an attachment", most=MAX_NAME)
    if not CONTENT_TYPE.fullmatch(enclosure.content_type):
        raise InvalidInput(what="The type of an attachment")
    maintype, _, subtype = enclosure.content_type.lower().partition("/")
    if (maintype, subtype) == ("message", "rfc822"):
        with suppress(InvalidInput):  # as a file then, and not as a message
            attached = message_from_bytes(enclosure.content, policy=POLICY)
            _in_ascii(attached)
            message.add_attachment(attached, cte="7bit", filename=name)
            return
    if maintype in {"multipart", "message"}:  # would be read as parts of ours
        maintype, subtype = "application", "octet-stream"
    message.add_attachment(enclosure.content, maintype=maintype, subtype=subtype, filename=name)
