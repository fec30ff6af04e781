"""What an answer to a message begins with: whom it is for, what it is about, which conversation it belongs to."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mailaccounts.mail.compose import Mailbox, bounded, usable_ids

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from datetime import datetime

# The marks that mail programs put before a subject, in the languages of their users: one of ours takes their place.
REPLY_MARKS = re.compile(
    r"(?:\s*(?:re|aw|sv|antw|antwort|vs|ref|rif|r|odp)(?:\[\d{1,3}\])?\s*[:\uff1a])+\s*", re.IGNORECASE
)
FORWARD_MARKS = re.compile(
    r"(?:\s*(?:fwd?|wg|tr|vb|vl|i|enc|doorst|pd)(?:\[\d{1,3}\])?\s*[:\uff1a])+\s*", re.IGNORECASE
)
MAX_QUOTED = 2**17  # characters
# Characters that turn the text around them: within a name they make an address beside it look like another.
TURNING = re.compile(r"[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Original:
    """The message that is answered. ``references`` are the Message-IDs it refers to, oldest first."""

    message_id: str
    references: tuple[str, ...] = ()
    subject: str = ""
    sender: tuple[Mailbox, ...] = ()
    reply_to: tuple[Mailbox, ...] = ()
    to: tuple[Mailbox, ...] = ()
    cc: tuple[Mailbox, ...] = ()
    sent_at: datetime | None = None
    text: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a draft begins with."""

    to: tuple[Mailbox, ...] = ()
    cc: tuple[Mailbox, ...] = ()
    subject: str
    text: str = field(default="", repr=False)
    in_reply_to: str = ""
    references: tuple[str, ...] = ()


def mailbox(address: str, name: str) -> Mailbox:
    """Somebody as a stranger's message names them, fit for a line that a person reads and sends on."""
    return Mailbox(address=address, name=TURNING.sub("", name))


def reply(original: Original, *, own: Collection[str], everyone: bool = False) -> Answer:
    """A reply to whoever wrote, or wants answers sent elsewhere (RFC 5322 §3.6.2); to ``everyone`` else who has it as
    well, but for ``own`` addresses (lower case). To one's own message it goes to whom that was for."""
    wrote = original.reply_to or original.sender
    mine = all(each.address.lower() in own for each in wrote)
    taken = set(own)
    to = _others(original.to if mine else wrote, taken)
    cc: tuple[Mailbox, ...] = ()
    if everyone:
        cc = _others(original.cc if mine else (*original.to, *original.cc), taken)
    ids = usable_ids((original.message_id,))
    return Answer(
        to=to or wrote,  # a note to oneself is answered to oneself
        cc=cc,
        subject=_marked("Re", REPLY_MARKS, original.subject),
        text=_quoted(original),
        in_reply_to=ids[0] if ids else "",
        references=bounded(usable_ids((*original.references, *ids))),
    )


def forward(original: Original) -> Answer:
    """A new message with what the old one said; a conversation of its own, for somebody else reads it."""
    lines = [
        "---------- Forwarded message ----------",
        f"From: {_listed(original.sender)}",
        *([f"Date: {original.sent_at:%a, %d %b %Y %H:%M %z}"] if original.sent_at else []),
        f"Subject: {original.subject}",
        f"To: {_listed(original.to)}",
        *([f"Cc: {_listed(original.cc)}"] if original.cc else []),
        "",
        original.text[:MAX_QUOTED],
    ]
    return Answer(subject=_marked("Fwd", FORWARD_MARKS, original.subject), text="\n\n" + "\n".join(lines))


def without(text: str, quoted: str) -> str:
    """``text`` without what ``quoted`` put into it: as a whole where it is still there, else line by line from where
    it begins; and whatever is marked as a quotation, should a line of it have been changed. The rest is the
    author's."""
    if quoted.strip() and quoted.strip() in text:
        before, _, after = text.partition(quoted.strip())
        return f"{before.rstrip()}\n{after.lstrip()}".strip("\n")
    ours = Counter(line for line in quoted.split("\n") if line.strip())
    lines = text.split("\n")
    first = next((line for line in quoted.split("\n") if line.strip()), None)
    begins = lines.index(first) if first in lines else 0
    marked = any(line.startswith(">") for line in ours)
    kept = lines[:begins]
    for line in lines[begins:]:
        if ours[line]:
            ours[line] -= 1
        elif not (marked and line.startswith(">")):
            kept.append(line)
    return "\n".join(kept).rstrip()


def _others(mailboxes: Iterable[Mailbox], taken: set[str]) -> tuple[Mailbox, ...]:
    """Each address once, and none of those ``taken``, which they are from then on."""
    found = []
    for mailbox in mailboxes:
        if mailbox.address.lower() not in taken:
            taken.add(mailbox.address.lower())
            found.append(mailbox)
    return tuple(found)


def _marked(mark: str, known: re.Pattern[str], subject: str) -> str:
    begins = known.match(subject)
    return f"{mark}: {subject[begins.end() :] if begins else subject}".rstrip()


def _quoted(original: Original) -> str:
    if not original.text:
        return ""
    when = f"On {original.sent_at:%a, %d %b %Y %H:%M}, " if original.sent_at else ""
    who = (original.sender[0].name or original.sender[0].address) if original.sender else "somebody"
    lines = original.text[:MAX_QUOTED].splitlines()
    return "\n\n" + "\n".join([f"{when}{who} wrote:", *(f">{'' if line[:1] == '>' else ' '}{line}" for line in lines)])


def _listed(mailboxes: Iterable[Mailbox]) -> str:
    return ", ".join(f"{each.name} <{each.address}>" if each.name else each.address for each in mailboxes)
