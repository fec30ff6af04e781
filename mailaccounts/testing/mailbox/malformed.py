"""Mail as it should not be, and is: one flaw each, and the truth that a careful reader can still find.

No flaw touches the addresses, so that who takes part is certain for every message.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from mailaccounts.testing.mailbox.mime import Part

NOT_FOUND = -1


@dataclass(slots=True, kw_only=True)
class Draft:
    """A message before it is put together. Flaws change it in place and keep ``subject``, ``text`` and so on true.

    ``unsure`` names the fields of the truth that no reader can be held to any more.
    """

    lines: list[str]
    body: Part
    subject: str
    text: str
    message_id: str
    flaw: str = ""
    unsure: tuple[str, ...] = ()
    raw_lines: tuple[bytes, ...] = ()  # header lines that aren't ASCII

    def render(self) -> bytes:
        header = [line.encode("ascii") for line in self.lines]
        return b"\r\n".join([*self.raw_lines, *header]) + b"\r\n" + self.body.render()

    def drop(self, header: str) -> None:
        self.lines = [line for line in self.lines if not line.startswith(header + ":")]


def _no_message_id(draft: Draft, rng: Random) -> None:
    draft.drop("Message-ID")
    draft.message_id = ""


def _no_date(draft: Draft, rng: Random) -> None:
    draft.drop("Date")


def _impossible_date(draft: Draft, rng: Random) -> None:
    draft.drop("Date")
    draft.lines.append("Date: Fri, 31 Feb 2025 25:61:00 +9900")


def _raw_subject(draft: Draft, rng: Random) -> None:
    """UTF-8 in a header without RFC 6532's blessing."""
    draft.drop("Subject")
    draft.subject = f"{draft.subject} größer"
    draft.raw_lines = (b"Subject: " + draft.subject.encode(),)


def _broken_encoded_word(draft: Draft, rng: Random) -> None:
    draft.drop("Subject")
    draft.lines.append("Subject: =?utf-8?B?R3LDvMOfZQ=?= =?utf-8?X?what?= =?nowhere-1?Q?a=20b?=")
    draft.unsure = ("subject",)


def _unknown_charset(draft: Draft, rng: Random) -> None:
    draft.body = replace(
        draft.body,
        headers=tuple(line.replace("charset=", "charset=x-unknown-") for line in draft.body.headers),
        body=draft.body.body.replace(b"charset=", b"charset=x-unknown-"),
    )
    draft.unsure = ("text", "html")


def _wrong_charset(draft: Draft, rng: Random) -> None:
    """Says ASCII, isn't."""
    draft.body = replace(
        draft.body,
        headers=("Content-Type: text/plain; charset=us-ascii", "Content-Transfer-Encoding: 7bit"),
        body="Größenänderung für Łódź\r\n".encode(),
    )
    draft.unsure = ("text", "html", "attachments")


def _no_boundary(draft: Draft, rng: Random) -> None:
    draft.body = replace(draft.body, headers=("Content-Type: multipart/mixed",))
    draft.unsure = ("text", "html", "attachments")


def _unclosed_multipart(draft: Draft, rng: Random) -> None:
    end = draft.body.body.rfind(b"--\r\n")
    if end != NOT_FOUND and "multipart/" in draft.body.headers[0]:
        draft.body = replace(draft.body, body=draft.body.body[: draft.body.body.rfind(b"\r\n--")] + b"\r\n")
    draft.unsure = ("attachments",)


def _broken_base64(draft: Draft, rng: Random) -> None:
    draft.body = replace(
        draft.body,
        headers=("Content-Type: text/plain; charset=utf-8", "Content-Transfer-Encoding: base64"),
        body=b"SGVsbG8sIHRoaXMgaXM=*+!\r\ngarbage\r\n=\r\n",
    )
    draft.unsure = ("text", "html", "attachments")


def _nul_bytes(draft: Draft, rng: Random) -> None:
    """NUL is forbidden in IMAP literals (RFC 9051 §4.3), so it arrives encoded."""
    draft.body = replace(
        draft.body,
        headers=("Content-Type: text/plain; charset=utf-8", "Content-Transfer-Encoding: quoted-printable"),
        body=b"before=00after\r\n",
    )
    draft.unsure = ("text", "html", "attachments")


def _endless_line(draft: Draft, rng: Random) -> None:
    draft.lines.append("X-Long: " + "x" * 20_000)


def _two_types(draft: Draft, rng: Random) -> None:
    draft.lines.append("Content-Type: application/octet-stream; name=x")
    draft.unsure = ("text", "html", "attachments")


def _deep_nesting(draft: Draft, rng: Random) -> None:
    opening = b"".join(
        b'--b%d\r\nContent-Type: multipart/mixed; boundary="b%d"\r\n\r\n' % (depth, depth + 1) for depth in range(60)
    )
    draft.body = replace(draft.body, headers=('Content-Type: multipart/mixed; boundary="b0"',), body=opening)
    draft.unsure = ("text", "html", "attachments")


def _named(flaw: Callable[[Draft, Random], None]) -> Callable[[Draft, Random], None]:
    def apply(draft: Draft, rng: Random) -> None:
        draft.flaw = flaw.__name__.strip("_").replace("_", " ")
        flaw(draft, rng)

    return apply


FLAWS: tuple[Callable[[Draft, Random], None], ...] = tuple(
    _named(flaw)
    for flaw in (
        _no_message_id,
        _no_date,
        _impossible_date,
        _raw_subject,
        _broken_encoded_word,
        _unknown_charset,
        _wrong_charset,
        _no_boundary,
        _unclosed_multipart,
        _broken_base64,
        _nul_bytes,
        _endless_line,
        _two_types,
        _deep_nesting,
    )
)
