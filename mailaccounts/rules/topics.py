"""Which messages belong together by their subjects: the last resort, for answers that don't say what they answer.

A subject proves nothing. It puts messages together that are stored anyway, and never makes one be stored.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from mailaccounts.mail.answering import FORWARD_MARKS, REPLY_MARKS

if TYPE_CHECKING:
    from datetime import datetime

WITHIN = timedelta(days=30)  # of the message that is answered
LEAST = 8  # letters and digits: shorter ones are "Hello" and "Invoice"
MOST = 100  # characters that are compared
ANSWER = "re: "
ANYTHING = frozenset({
    "(no subject)", "no subject", "kein betreff", "(kein betreff)", "ohne betreff", "sans objet", "(sans objet)",
    "sin asunto", "(sin asunto)", "question", "newsletter", "rechnung", "bestellung", "good morning", "guten morgen",
    "thank you", "thank you!", "vielen dank", "important", "reminder", "erinnerung", "your order", "confirmation",
})  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """What a message is about, by ``topic_of``, and when it came; ``people`` are whom it is from and to, ``everybody``
    are all who take part."""

    topic: str
    people: frozenset[str]
    everybody: frozenset[str]
    at: datetime

    def answers(self, other: Topic) -> bool:
        """Whether it answers ``other``: its subject says so, soon after, and all whom it is from and to took part
        there."""
        return (
            self.topic.startswith(ANSWER)
            and self.topic.removeprefix(ANSWER) == other.topic.removeprefix(ANSWER)
            and other.at <= self.at <= other.at + WITHIN
            and len(self.people) > 1
            and self.people <= other.everybody
        )


def topic_of(subject: str, *, refers: bool) -> str:
    """What a subject is about: without the marks of answers and forwards, in lower case, and with ``ANSWER`` before it
    when it is an answer that ``refers`` to no message. "" for what could be about anything."""
    text, marks = _without_marks(subject)
    topic = " ".join(text.split()).casefold()[:MOST]
    if sum(map(str.isalnum, topic)) < LEAST or topic in ANYTHING:
        return ""
    return ANSWER + topic if marks and not refers else topic


def asks_for(topic: str) -> set[str]:
    """The topics of messages that one of this topic may answer, or be answered by."""
    return {topic, topic.removeprefix(ANSWER)} if topic.startswith(ANSWER) else {ANSWER + topic}


def _without_marks(subject: str) -> tuple[str, bool]:
    """The subject without its marks, and whether the first of them is an answer's."""
    answer = REPLY_MARKS.match(subject) is not None
    while mark := REPLY_MARKS.match(subject) or FORWARD_MARKS.match(subject):
        subject = subject[mark.end() :]
    return subject, answer
