"""Three readers of whole messages, told apart by nothing but how right they are: ours and the two it is held against.

Each gives the same of a message: subject, addresses, text, and what is attached. What a reader raises is an error too.
"""

from __future__ import annotations

import email
import email.policy
from dataclasses import dataclass
from email.utils import getaddresses
from typing import TYPE_CHECKING, Any, cast

import fast_mail_parser

from mailaccounts.mail.headers import parse_headers
from mailaccounts.mail.parse import parse_message

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from email.message import EmailMessage

    from mailaccounts.testing.mailbox import Truth

ADDRESS_FIELDS = ("from", "sender", "reply-to", "to", "cc")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """``addresses`` are (role, address) with the role as the field's name; ``attachments`` are (name, type, size)."""

    subject: str
    addresses: frozenset[tuple[str, str]]
    text: str
    attachments: tuple[tuple[str, str, int], ...]


def ours(raw: bytes) -> Reading:
    headers, content = parse_headers(raw), parse_message(raw)
    return Reading(
        subject=headers.subject,
        addresses=frozenset((party.role.replace("_", "-"), party.address) for party in headers.participants),
        text=content.text,
        attachments=tuple((each.name, each.content_type, each.size) for each in content.attachments),
    )


def compiled(raw: bytes) -> Reading:
    """fast-mail-parser as its documentation has it."""
    parsed = fast_mail_parser.parse_email(raw)
    addresses: Any = {
        "from": parsed.from_,
        "sender": [],
        "reply-to": parsed.reply_to,
        "to": parsed.to,
        "cc": parsed.cc,
    }
    return Reading(
        subject=parsed.subject,
        addresses=frozenset(
            (role, each.address.lower()) for role, found in addresses.items() for each in _listed(found)
        ),
        text="\n".join(parsed.text_plain),
        attachments=tuple((each.filename, each.mimetype, len(each.content)) for each in parsed.attachments),
    )


def library(raw: bytes) -> Reading:
    """The standard library with ``email.policy.default``."""
    message = cast("EmailMessage", email.message_from_bytes(raw, policy=email.policy.default))
    texts, attachments = [], []
    for part in message.walk():
        if part.is_multipart() and part.get_content_maintype() == "multipart":
            continue
        if part.get_content_type() == "text/plain" and not part.is_attachment():
            texts.append(part.get_content())
        elif part.get_content_type() != "text/html" or part.is_attachment():
            payload = part.get_payload(decode=True) or b""
            attachments.append((part.get_filename() or "", part.get_content_type(), len(payload)))
    return Reading(
        subject=str(message["subject"] or ""),
        addresses=frozenset(
            (role, address.lower())
            for role in ADDRESS_FIELDS
            for _, address in getaddresses([str(each) for each in message.get_all(role, [])])
            if "@" in address
        ),
        text="\n".join(texts),
        attachments=tuple(attachments),
    )


def _listed(found: Any) -> Iterable[Any]:
    if found is None:
        return []
    return found if isinstance(found, list) else [found]


def errors(read: Callable[[bytes], Reading], raw: bytes, truth: Truth) -> list[str]:
    """What ``read`` gets wrong of a message, by the names of the truth."""
    try:
        reading = read(raw)
    except Exception as error:  # noqa: BLE001 - that is what is counted
        return [f"raises {type(error).__name__}"]
    expected = {
        "subject": (_words(truth.subject), _words(reading.subject)),
        "addresses": (frozenset((each.role, each.address.lower()) for each in truth.addresses), reading.addresses),
        "attachments": (
            tuple((each.name, each.content_type, each.size) for each in truth.attachments),
            reading.attachments,
        ),
    }
    if truth.text:
        expected["text"] = (_words(truth.text), _words(reading.text))
    return [name for name, (true, found) in expected.items() if name not in truth.unsure and true != found]


def _words(text: str) -> list[str]:
    return text.split()
