"""Finds stored messages by what they say, who takes part and the subject, the way each database does that.

Every word has to be there, or one that it is the beginning of; words in quotation marks, one after another. The newest
``MOST`` messages with all of them are looked at, and the best of those come first. Call it with accounts whose mail
the user may read.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from django.db import connection
from django.db.models import BooleanField, F, Func

from mailaccounts.services.storing.search.postgresql import PostgreSQL
from mailaccounts.services.storing.search.sqlite import SQLite
from mailaccounts.services.storing.search.words import BEGIN, END, Words, people, read

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from django.db.models.sql.compiler import SQLCompiler

__all__ = ["MOST", "Excerpt", "Holds", "Index", "Piece", "Words", "index", "people", "pieces", "read"]

MOST = 100
NEWEST = 2000  # messages of a mailbox that are looked through before its index is
MARKS = re.compile(f"{BEGIN}([^{BEGIN}{END}]*){END}")


class Index(Protocol):
    """One statement for each call."""

    def holds(self, words: Words, *, account_id: int, key: str, by_index: bool) -> tuple[str, list[str | int]]:
        """The condition on a message that it is the account's and has all of ``words``, as SQL and its parameters;
        ``key`` is its primary key, as the statement names it. Whether the database may be led to it ``by_index``."""

    def ranks(self, words: Words, message_ids: Collection[int]) -> Mapping[int, float]:
        """How well each of these messages fits: more is better."""

    def excerpts(self, words: Words, message_ids: Collection[int]) -> Mapping[int, tuple[str, str]]:
        """The subject of each, and where its text has the words, these marked (see ``pieces``)."""

    def forget(self) -> None:
        """Takes the words of messages that are gone out of the index itself, where that keeps them."""


INDEXES: dict[str, Index] = {"postgresql": PostgreSQL(), "sqlite": SQLite()}


def index() -> Index:
    """The one of the database in use."""
    return INDEXES[connection.vendor]


class Holds(Func):
    """Whether a message is the account's and has all of the words."""

    output_field = BooleanField()

    def __init__(self, words: Words, account_id: int, *, by_index: bool = True) -> None:
        super().__init__(F("pk"))
        self.words, self.account_id, self.by_index = words, account_id, by_index

    def as_sql(self, compiler: SQLCompiler, connection: Any, *_: Any, **__: Any) -> tuple[str, tuple[str | int, ...]]:
        key, _none = compiler.compile(self.source_expressions[0])
        holds = INDEXES[connection.vendor].holds
        condition, parameters = holds(self.words, account_id=self.account_id, key=key, by_index=self.by_index)
        return condition, tuple(parameters)


@dataclass(frozen=True, slots=True)
class Piece:
    """Some text, and whether it is what was looked for."""

    text: str
    found: bool


def pieces(marked: str) -> list[Piece]:
    """The text cut up at its marks; what a message itself may have of them means nothing."""
    return [piece for piece in _pieces(marked) if piece.text]


def _pieces(marked: str) -> Iterator[Piece]:
    for position, text in enumerate(MARKS.split(marked)):
        yield Piece(text.replace(BEGIN, "").replace(END, ""), found=position % 2 == 1)


@dataclass(frozen=True, slots=True)
class Excerpt:
    """A message's subject, and the part of its text that has the words."""

    subject: list[Piece]
    text: list[Piece]

    @classmethod
    def read(cls, subject: str, text: str) -> Excerpt:
        return cls(subject=pieces(subject), text=pieces(text))
