"""SQLite: a table of FTS5 (migration 0002) that follows the messages by triggers (services/storing/triggers.py)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from django.db import connection

from mailaccounts.services.storing.search.words import BEGIN, END, is_beginning

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from django.db.backends.utils import CursorWrapper

    from mailaccounts.services.storing.search.words import Words

TABLE = "mailaccounts_message_search"
MATCHING = f"FROM {TABLE} WHERE {TABLE} MATCH %s"
THESE = " AND rowid IN (SELECT value FROM json_each(%s))"
COLUMNS = "subject, people, body_text"
INSERT = f"INSERT INTO {TABLE}"
GONE = f"{INSERT} ({TABLE}, rowid, {COLUMNS}) VALUES ('delete', old.id, old.subject, old.people, old.body_text)"
NEW = f"{INSERT} (rowid, {COLUMNS}) VALUES (new.id, new.subject, new.people, new.body_text)"
TRIGGERS = {
    f"{TABLE}_new": f"AFTER INSERT ON mailaccounts_message BEGIN {NEW}; END",
    f"{TABLE}_gone": f"AFTER DELETE ON mailaccounts_message BEGIN {GONE}; END",
    f"{TABLE}_other": f"AFTER UPDATE OF {COLUMNS} ON mailaccounts_message BEGIN {GONE}; {NEW}; END",
}
WEIGHTS = "10.0, 4.0, 1.0"  # of the subject, the people, the text


class SQLite:
    def holds(self, words: Words, *, account_id: int, key: str, by_index: bool) -> tuple[str, list[str | int]]:
        account = f"{key.rpartition('.')[0]}.account_id = %s"
        return f"({account} AND {key} IN (SELECT rowid {MATCHING}))", [account_id, _query(words)]

    def ranks(self, words: Words, message_ids: Collection[int]) -> Mapping[int, float]:
        with connection.cursor() as cursor:
            cursor.execute(
                f"SELECT rowid, -bm25({TABLE}, {WEIGHTS}) {MATCHING}{THESE}",
                [_query(words), json.dumps(list(message_ids))],
            )
            return dict(cursor.fetchall())

    def excerpts(self, words: Words, message_ids: Collection[int]) -> Mapping[int, tuple[str, str]]:
        with connection.cursor() as cursor:
            cursor.execute(
                f"SELECT rowid, highlight({TABLE}, 0, '{BEGIN}', '{END}'),"
                f" snippet({TABLE}, 2, '{BEGIN}', '{END}', '…', 28) {MATCHING}{THESE}",
                [_query(words), json.dumps(list(message_ids))],
            )
            return {key: (subject, text) for key, subject, text in cursor.fetchall()}

    def forget(self) -> None:
        """They stay among those deleted until the index is written anew."""
        with connection.cursor() as cursor:
            cursor.execute(f"{INSERT} ({TABLE}) VALUES ('optimize')")


def follow(cursor: CursorWrapper) -> None:
    """Has the index follow the messages; where it didn't, it is written anew."""
    cursor.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")
    missing = TRIGGERS.keys() - {name for (name,) in cursor.fetchall()}
    for name in sorted(missing):
        cursor.execute(f"CREATE TRIGGER {name} {TRIGGERS[name]}")
    if missing:
        cursor.execute(f"{INSERT} ({TABLE}) VALUES ('rebuild')")


def _query(words: Words) -> str:
    """An FTS5 query of strings: nothing in them is an operator."""
    quoted = ('"' + word.replace('"', '""') + '"' for word in words)
    return " ".join(quote + ("*" if is_beginning(word) else "") for quote, word in zip(quoted, words, strict=True))
