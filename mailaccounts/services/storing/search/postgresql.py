"""PostgreSQL: a tsvector in each message's row, kept by the database itself (migration 0002)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import connection

from mailaccounts.services.storing.search.words import BEGIN, END, is_beginning

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from mailaccounts.services.storing.search.words import Words

QUERY = "to_tsquery('simple', %s)"
SHOWN = 20_000  # characters of a message in which an excerpt is looked for
SUBJECT = f"StartSel={BEGIN}, StopSel={END}, HighlightAll=true"
TEXT = f"StartSel={BEGIN}, StopSel={END}, MaxWords=28, MinWords=14, ShortWord=0"


class PostgreSQL:
    """Words are taken as they are, without a language: mail is in many."""

    def holds(self, words: Words, *, account_id: int, key: str, by_index: bool) -> tuple[str, list[str | int]]:
        table = key.rpartition(".")[0]
        there = f"{table}.search @@ ({QUERY} && %s::tsquery)"
        if not by_index:
            there = f"(SELECT {there})"  # which is the same, and no index leads to it
        # The account is one of the words: the index of accounts would only add all messages that one has.
        return f"({there} AND {table}.account_id + 0 = %s)", [_query(words), f"'={account_id}'", account_id]

    def ranks(self, words: Words, message_ids: Collection[int]) -> Mapping[int, float]:
        with connection.cursor() as cursor:
            cursor.execute(
                f"SELECT id, ts_rank(search, {QUERY}) FROM mailaccounts_message WHERE id = ANY(%s)",  # noqa: S608 - same
                [_query(words), list(message_ids)],
            )
            return dict(cursor.fetchall())

    def excerpts(self, words: Words, message_ids: Collection[int]) -> Mapping[int, tuple[str, str]]:
        query = _query(words)
        with connection.cursor() as cursor:
            cursor.execute(
                f"SELECT id, ts_headline('simple', subject, {QUERY}, %s),"  # noqa: S608 - nothing but constants
                f" ts_headline('simple', left(body_text, {SHOWN}), {QUERY}, %s)"
                " FROM mailaccounts_message WHERE id = ANY(%s)",
                [query, SUBJECT, query, TEXT, list(message_ids)],
            )
            return {key: (subject, text) for key, subject, text in cursor.fetchall()}

    def forget(self) -> None:
        """They go with their rows, when the database tidies up (VACUUM)."""


def _query(words: Words) -> str:
    """A tsquery of quoted words: nothing in them is an operator."""
    quoted = ("'" + word.replace("\\", "\\\\").replace("'", "''") + "'" for word in words)
    return " & ".join(quote + (":*" if is_beginning(word) else "") for quote, word in zip(quoted, words, strict=True))
