"""Reads header blocks: at once what matching and threading need of every message, the rest when it is asked for.

Of most messages nobody asks more: they concern no contact. Never raises on what it reads.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_tz
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING

from mailaccounts.mail.fields import Fields, header_ends
from mailaccounts.mail.mailboxes import mailboxes
from mailaccounts.mail.text import decode_words, one_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

ADDRESS_FIELDS = ("from", "sender", "reply-to", "to", "cc", "bcc")
HEADER_FIELDS = ("message-id", "in-reply-to", "references", "subject", "date", *ADDRESS_FIELDS)
"""All that parse_headers reads; a header fetch needs no more."""

_IDENTITY = ("message-id", "date", "from", "to", "cc", "subject")

MAX_ADDRESSES = 1000  # per message, sender first
MAX_REFERENCES = 50  # per message: the oldest and the newest
MAX_SUBJECT = 2000
MAX_MESSAGE_ID = 255
MAX_ADDRESS = 320

_FIELDS = Fields(HEADER_FIELDS)
_BRACKETED = re.compile(r"<([^<>]*)>")


@dataclass(frozen=True, slots=True, kw_only=True)
class Party:
    """Somebody taking part: ``role`` is the field (``reply_to`` for Reply-To), ``address`` lower case."""

    role: str
    address: str
    name: str = ""


@dataclass(frozen=True, kw_only=True)
class Headers:
    """What a header block says. Message-IDs are without angle brackets; one longer than 255 is replaced by a hash.

    ``fingerprint`` is the same for the same message wherever it lies: SHA-256 over its identifying fields.
    ``mailboxes`` are (role, name as it was written, address in lower case and one spelling).
    """

    message_id: str
    in_reply_to: str
    references: tuple[str, ...]
    mailboxes: tuple[tuple[str, str, str], ...]
    fingerprint: str
    raw_subject: str = field(default="", repr=False)
    raw_date: str = field(default="", repr=False)

    @cached_property
    def addresses(self) -> frozenset[str]:
        return frozenset(address for _, _, address in self.mailboxes)

    @cached_property
    def thread_keys(self) -> tuple[str, ...]:
        """Every Message-ID that ties this message to a thread (RFC 5322 §3.6.4).

        Old programs name the person they answer (``Message from Jo <jo@x.test>``): that would tie all mail with Jo.
        """
        keys = dict.fromkeys((self.message_id, self.in_reply_to, *self.references))
        return tuple(key for key in keys if key and key.lower() not in self.addresses)

    @property
    def ancestors(self) -> tuple[str, ...]:
        """The messages before this one in its conversation, oldest first, as an answer goes on with them."""
        return self.references or tuple(filter(None, (self.in_reply_to,)))

    @cached_property
    def subject(self) -> str:
        return one_line(decode_words(self.raw_subject), MAX_SUBJECT)

    @cached_property
    def sent_at(self) -> datetime | None:
        """The Date field in UTC (no zone counts as UTC); None when it isn't a date between 1970 and 2100."""
        try:
            parsed = parsedate_tz(self.raw_date[:100])
            if parsed is None:
                return None
            moment = datetime(*parsed[:6], tzinfo=UTC) - timedelta(seconds=parsed[9] or 0)
        except (IndexError, ValueError, TypeError, OverflowError):
            return None
        return moment if 1970 <= moment.year < 2100 else None

    @cached_property
    def participants(self) -> tuple[Party, ...]:
        return tuple(
            Party(role=role, address=address, name=one_line(decode_words(name), 255))
            for role, name, address in self.mailboxes
        )


def parse_headers(raw: bytes, *, size: int = 0, internal_date: datetime | None = None) -> Headers:
    """Reads a header block. ``size`` and ``internal_date`` only tell apart messages that lack a Message-ID."""
    fields = _FIELDS.read(raw, 0, header_ends(raw, 0, len(raw))[0])
    ids = _message_ids(fields.get("message-id", ()))
    answered = _message_ids(fields.get("in-reply-to", ()))
    references = _message_ids(fields.get("references", ()))
    if len(references) > MAX_REFERENCES:
        references = references[: MAX_REFERENCES // 2] + references[-MAX_REFERENCES // 2 :]
    return Headers(
        message_id=ids[0] if ids else "",
        in_reply_to=answered[0] if answered else "",
        references=references,
        mailboxes=tuple(islice(_mailboxes(fields), MAX_ADDRESSES)),
        fingerprint=_fingerprint(fields, size=size, internal_date=internal_date),
        raw_subject=next(iter(fields.get("subject", ())), ""),
        raw_date=next(iter(fields.get("date", ())), ""),
    )


def _fingerprint(fields: Mapping[str, Sequence[str]], *, size: int, internal_date: datetime | None) -> str:
    """A copy in another folder has the same fields, and size and (RFC 3501 §6.4.7) internal date as well.

    A message delivered twice, say to INBOX and to Sent, differs in its trace fields and so in size: hence those two
    count only where there is no Message-ID to go by.
    """
    parts = [" ".join(" ".join(fields[name]).split()) if name in fields else "" for name in _IDENTITY]
    if not parts[0]:
        parts.append(str(size))
        if not parts[1] and internal_date is not None:
            parts.append(internal_date.isoformat())
    return hashlib.sha256("\n".join(parts).encode("utf-8", errors="replace")).hexdigest()


def _message_ids(values: Sequence[str]) -> tuple[str, ...]:
    """The Message-IDs in a field, each once, in order. Without angle brackets they count if there is nothing else."""
    if not values:
        return ()
    text = " ".join(values)
    found = _BRACKETED.findall(text)
    if not found:
        words = text.replace(",", " ").split()
        found = words if len(words) == 1 or all("@" in word for word in words) else []
    return tuple(dict.fromkeys(_fitting(normal) for each in found if (normal := _normal(each))))


def _normal(message_id: str) -> str:
    """Without white space and control characters."""
    if message_id.isprintable() and " " not in message_id:
        return message_id
    return "".join(char for char in message_id if char.isprintable() and not char.isspace())


def _fitting(message_id: str) -> str:
    if len(message_id) <= MAX_MESSAGE_ID:
        return message_id
    return "sha256:" + hashlib.sha256(message_id.encode("utf-8", errors="replace")).hexdigest()


def _mailboxes(fields: Mapping[str, Sequence[str]]) -> Iterator[tuple[str, str, str]]:
    """The addresses in the fields, each once for a field; whatever is not an address is left out."""
    for name in ADDRESS_FIELDS:
        if name not in fields:
            continue
        seen: set[str] = set()
        for value in fields[name]:
            pairs = list(islice(mailboxes(value), MAX_ADDRESSES))
            if not pairs and (decoded := decode_words(value)) != value:  # all of it, against RFC 2047 §5
                pairs = list(islice(mailboxes(decoded), MAX_ADDRESSES))
            for written, address in pairs:
                address = _one_spelling(address)
                if address not in seen and len(address) <= MAX_ADDRESS:
                    seen.add(address)
                    yield name.replace("-", "_"), written, address


def _one_spelling(address: str) -> str:
    """In lower case, and each character and dot in the one way of several that Unicode has for it: who is looked for,
    blocked or erased is found by it."""
    if address.isascii():
        return address.lower()
    local, at, domain = address.lower().rpartition("@")
    domain = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", domain).lower()).replace("\u3002", ".")
    return unicodedata.normalize("NFC", local) + at + domain
