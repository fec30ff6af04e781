"""Turns an envelope into the bytes of a message and the truth about it."""

from __future__ import annotations

import base64
import html
from dataclasses import dataclass
from email.utils import format_datetime
from typing import TYPE_CHECKING

from mailaccounts.testing.mailbox.malformed import FLAWS, Draft
from mailaccounts.testing.mailbox.mime import Part, encode_words, file_part, mailbox, multipart, text_part
from mailaccounts.testing.mailbox.threads import SENT
from mailaccounts.testing.mailbox.truth import Address, AttachmentTruth, GeneratedMessage, Truth
from mailaccounts.testing.mailbox.words import paragraphs

if TYPE_CHECKING:
    from datetime import datetime
    from random import Random

    from mailaccounts.testing.mailbox.threads import Envelope, Thread
    from mailaccounts.testing.mailbox.words import Person

FILES = (
    ("offer.pdf", "application/pdf"),
    ("Angebot für Käthe.pdf", "application/pdf"),
    ("drawing 7.png", "image/png"),
    ("見積.xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    ("minutes.docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
    ("photos.zip", "application/zip"),
    ("invite.ics", "application/ics"),
)
NOISE_BYTES = 2**20
QUOTED_CHARS = 1500


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What the body is to say. An attachment is name, type, bytes, and the Content-ID of an inline one."""

    text: str
    html: str
    attachments: tuple[tuple[str, str, bytes, str], ...]


class Writer:
    def __init__(self, rng: Random, *, attachment_bytes: tuple[int, int], attached: float, malformed: float) -> None:
        self._rng = rng
        self._attachment_bytes, self._attached, self._malformed = attachment_bytes, attached, malformed
        self._noise = rng.randbytes(NOISE_BYTES)
        self._letters = base64.b64encode(self._noise[:60_000]).decode()

    def write(self, envelope: Envelope, *, number: int, date: datetime) -> GeneratedMessage:
        rng, thread = self._rng, envelope.thread
        charset = _able(thread)
        content = self._content(thread, charset)
        addresses, address_lines = self._addresses(envelope, charset)
        message_id = f"{rng.getrandbits(80):020x}.{number}@{envelope.sender.address.rpartition('@')[2]}"
        subject = ("Re: " if thread.references else _prefix(thread)) + thread.subject
        lines = [
            *self._trace(envelope, date),
            *address_lines,
            f"Subject: {encode_words(subject, charset, rng)}",
            f"Date: {format_datetime(date)}",
            f"Message-ID:{rng.choice((' ', ' ', chr(13) + chr(10) + ' '))}<{message_id}>",
            *_references(thread),
            *self._ballast(thread),
            "MIME-Version: 1.0",
        ]
        draft = Draft(
            lines=lines, body=self._body(content, charset), subject=subject, text=content.text, message_id=message_id
        )
        if rng.random() < self._malformed:
            rng.choice(FLAWS)(draft, rng)
        truth = Truth(
            message_id=draft.message_id,
            thread=thread.number,
            subject=draft.subject,
            addresses=addresses,
            known=envelope.known,
            matched=thread.kind == "contact",
            charset=charset,
            text=draft.text,
            html=content.html,
            attachments=tuple(
                AttachmentTruth(name=name, content_type=kind, size=len(payload), inline=bool(content_id))
                for name, kind, payload, content_id in content.attachments
            ),
            malformed=draft.flaw,
            unsure=(*draft.unsure, "matched") if thread.torn and not envelope.known else draft.unsure,
        )
        thread.torn |= not draft.message_id
        if draft.message_id:
            thread.references.append(message_id)
        thread.last_text = content.text
        return GeneratedMessage(
            raw=draft.render(),
            date=date,
            folder=envelope.folder,
            seen=envelope.folder == SENT or rng.random() < 0.8,
            truth=truth,
        )

    def _content(self, thread: Thread, charset: str) -> Content:
        rng = self._rng
        text = paragraphs(rng, thread.language, count=rng.randint(1, 6))
        if thread.last_text and thread.kind in {"contact", "colleague", "stranger", "list"}:
            earlier = thread.last_text[:QUOTED_CHARS].split("\n")
            text += "\n\n" + "\n".join(f"> {line}".rstrip() for line in earlier)
        page = ""
        if thread.kind == "newsletter":
            page = _page(text, blocks=rng.randint(10, 60))
        elif thread.kind != "list" and rng.random() < 0.7:
            page = _page(text, blocks=1)
        attachments: tuple[tuple[str, str, bytes, str], ...] = ()
        if thread.kind in {"contact", "colleague", "stranger"} and rng.random() < self._attached:
            attachments = tuple(
                (*rng.choice(FILES), self._payload(), "") for _ in range(rng.choices((1, 2, 3), (7, 2, 1))[0])
            )
        elif page and rng.random() < self._attached / 4:
            attachments = (("logo.png", "image/png", self._payload()[:4000], f"logo{thread.number}@images.test"),)
            page = page.replace("<body>", f'<body><img src="cid:{attachments[0][3]}" alt="">', 1)
        if page and rng.random() < 0.12:
            text = ""  # HTML and nothing beside it
        return Content(text=text, html=page, attachments=attachments)

    def _payload(self) -> bytes:
        least, most = self._attachment_bytes
        size = int(least * (most / least) ** self._rng.random())
        start = self._rng.randrange(max(1, NOISE_BYTES - size))
        return self._noise[start : start + size]

    def _body(self, content: Content, charset: str) -> Part:
        rng = self._rng
        texts = []
        if content.text:
            texts.append(text_part(content.text, charset, rng))
        if content.html:
            texts.append(text_part(content.html, charset, rng, subtype="html"))
        body = texts[0] if len(texts) == 1 else multipart("alternative", texts, self._boundary())
        for related, subtype in ((True, "related"), (False, "mixed")):
            files = [
                file_part(name, kind, payload, rng, content_id=content_id)
                for name, kind, payload, content_id in content.attachments
                if bool(content_id) is related
            ]
            if files:
                body = multipart(subtype, [body, *files], self._boundary())
        return body

    def _addresses(self, envelope: Envelope, charset: str) -> tuple[tuple[Address, ...], list[str]]:
        rng = self._rng
        roles: list[tuple[str, str, tuple[Person, ...]]] = [
            ("From", "from", (envelope.sender,)),
            ("To", "to", envelope.to),
            ("Cc", "cc", envelope.cc),
        ]
        if envelope.thread.kind == "list":
            roles.append(("Reply-To", "reply-to", envelope.to))
        addresses, lines = [], []
        for header, role, people in roles:
            if not people:
                continue
            written = []
            for person in people:
                addresses.append(Address(role=role, name=person.name, address=person.address.lower()))
                shown = person.address.upper() if rng.random() < 0.05 else person.address
                name_charset = charset if _fits(person.name, charset) else "utf-8"
                written.append(mailbox(person.name, shown, name_charset, rng))
            lines.append(f"{header}: " + ",\r\n ".join(written))
        return tuple(addresses), lines

    def _trace(self, envelope: Envelope, date: datetime) -> list[str]:
        """What servers on the way add: about 3 KB, as mail from outside has it."""
        if envelope.folder == SENT:
            return []
        rng, sender = self._rng, envelope.sender.address.rpartition("@")[2]
        when = format_datetime(date)
        received = [
            f"Received: from mx{hop}.{sender} (mx{hop}.{sender} [192.0.2.{rng.randrange(256)}])\r\n"
            f" by relay{hop}.test (Postfix) with ESMTPS id {self._letter_run(12)}\r\n"
            f" (using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits)); {when}"
            for hop in range(rng.randint(2, 5))
        ]
        signature = f"d={sender}; s=mail; bh={self._letter_run(43)}=;\r\n b={self._letter_lines(5)}"
        return [
            f"Return-Path: <bounce@{sender}>",
            *received,
            f"DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; {signature}",
            f"ARC-Seal: i=1; a=rsa-sha256; cv=none; {signature}",
            f"ARC-Message-Signature: i=1; a=rsa-sha256; {signature}",
            f"Authentication-Results: mx.test; dkim=pass header.d={sender}; spf=pass; dmarc=pass",
        ]

    def _ballast(self, thread: Thread) -> list[str]:
        if thread.kind == "newsletter":
            return [
                f"List-Unsubscribe: <https://news.test/{self._letter_run(30)}>",
                "List-Unsubscribe-Post: List-Unsubscribe=One-Click",
                f"List-Id: <news{thread.number}.news.test>",
                "Precedence: bulk",
            ]
        if thread.kind == "list":
            return [f"List-Id: <list{thread.number % 7}.lists.test>", "List-Post: <mailto:list@lists.test>"]
        if thread.kind == "notice":
            return ["Auto-Submitted: auto-generated", "X-Auto-Response-Suppress: All"]
        return ["X-Mailer: Example Mailer 4.2"]

    def _boundary(self) -> str:
        return f"=_{self._rng.getrandbits(96):024x}"

    def _letter_run(self, length: int) -> str:
        start = self._rng.randrange(len(self._letters) - length)
        return self._letters[start : start + length]

    def _letter_lines(self, count: int) -> str:
        return "\r\n ".join(self._letter_run(72) for _ in range(count))


def _page(text: str, *, blocks: int) -> str:
    said = "".join(f"<p>{html.escape(block, quote=False)}</p>\n" for block in text.split("\n\n"))
    style = "font-family:Arial,Helvetica,sans-serif;font-size:14px;line-height:20px;color:#333333"
    block = (
        f'<table role="presentation" width="600" cellpadding="0"><tr><td style="{style}">\n{said}</td></tr></table>\n'
    )
    return f"<html><head><style>p {{ {style} }}</style></head><body>\n{block * blocks}</body></html>"


def _prefix(thread: Thread) -> str:
    return f"[list{thread.number % 7}] " if thread.kind == "list" else ""


def _references(thread: Thread) -> list[str]:
    if not thread.references or thread.kind in {"newsletter", "notice", "decoy"}:
        return []
    return [
        f"In-Reply-To: <{thread.references[-1]}>",
        "References: " + "\r\n ".join(f"<{reference}>" for reference in thread.references[-20:]),
    ]


def _able(thread: Thread) -> str:
    """The thread's charset if it can write what is said, else UTF-8."""
    said = thread.subject + "".join(thread.language.words)
    return thread.charset if _fits(said, thread.charset) else "utf-8"


def _fits(text: str, charset: str) -> bool:
    try:
        text.encode(charset)
    except UnicodeEncodeError:
        return False
    return True
