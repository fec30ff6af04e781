"""The audit trail as a file: what was done with accounts, and who looked at somebody's mail. No content of mail.

Written as it is read, so that a million entries take no more memory than one.
"""

from __future__ import annotations

import csv
import heapq
import io
import json
from typing import TYPE_CHECKING, Any

from mailaccounts.models import AuditAction
from mailaccounts.rules.cells import harmless
from mailaccounts.services.trail import audit

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from django.db.models import QuerySet

    from mailaccounts.models import AuditEntry, Look

CHUNK = 2000
LOOKED = "looked"  # the action of a look
COLUMNS = ("at", "action", "actor", "owner", "account", "address", "facts")

Line = dict[str, Any]


def lines(entries: QuerySet[AuditEntry], looks: QuerySet[Look] | None = None) -> Iterator[Line]:
    """What both tell, oldest first."""
    told: list[Iterator[Line]] = [_entries(entries)]
    if looks is not None:
        told.append(_looks(looks))
    return heapq.merge(*told, key=lambda line: line["at"])


def note(*, actor: Any, form: str) -> None:
    """Notes in the trail itself that it was handed out as ``form``; before it is, so that nobody gets it unnoticed."""
    audit.note_of_none(AuditAction.TRAIL_EXPORTED, actor=actor, format=form)


def as_csv(told: Iterable[Line]) -> Iterator[str]:
    yield _row(COLUMNS)
    for line in told:
        facts = json.dumps(line["facts"], ensure_ascii=False)
        cells = {**line, "at": line["at"].isoformat(), "facts": facts}
        yield _row(harmless(str(cells[column])) for column in COLUMNS)


def as_json(told: Iterable[Line]) -> Iterator[str]:
    """One JSON object to a line."""
    for line in told:
        yield json.dumps({**line, "at": line["at"].isoformat()}, ensure_ascii=False) + "\n"


def _entries(entries: QuerySet[AuditEntry]) -> Iterator[Line]:
    for each in entries.select_related("actor", "owner").order_by("at", "pk").iterator(CHUNK):
        yield {
            "at": each.at,
            "action": each.action,
            "actor": _name(each.actor),
            "owner": _name(each.owner),
            "account": each.account,
            "address": each.address,
            "facts": each.facts,
        }


def _looks(looks: QuerySet[Look]) -> Iterator[Line]:
    for each in looks.select_related("viewer", "account__owner").order_by("at", "pk").iterator(CHUNK):
        yield {
            "at": each.at,
            "action": LOOKED,
            "actor": _name(each.viewer),
            "owner": _name(each.account.owner),
            "account": each.account_id,
            "address": each.account.address,
            "facts": {"message": each.message_id, "why": each.why} | _opened(each),
        }


def _opened(look: Look) -> dict[str, int]:
    return {"opening": look.opened_id} if look.opened_id else {}


def _name(user: Any) -> str:
    return user.get_username() if user else ""


def _row(cells: Iterable[str]) -> str:
    text = io.StringIO()
    csv.writer(text).writerow(cells)
    return text.getvalue()
