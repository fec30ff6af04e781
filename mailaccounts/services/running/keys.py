"""Keys: which of them the database needs, and sealing anew what isn't under the first one, while everybody works."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.db import router
from django.db.models.functions import Substr

from mailaccounts.conf import settings
from mailaccounts.crypto import KEY_ID_CHARS, VERSION
from mailaccounts.errors import KeyMissing, VaultError
from mailaccounts.fields import SealedField

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from django.db.models import Model, QuerySet

BATCH = 200  # rows read at a time
PASSES = 5  # over a column whose rows others keep changing


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnReport:
    """How a column stands after a rotation: the counts come from the database, except for those of this run.

    ``sealed`` values there are, ``current`` of them under the first key. This run has ``resealed`` so many and left
    ``unreadable`` ones alone, for want of ``missing_keys`` or because they were altered.
    """

    column: str
    sealed: int
    current: int
    resealed: int
    unreadable: int
    missing_keys: tuple[str, ...]

    @property
    def is_done(self) -> bool:
        """Whether the column needs no key but the first."""
        return self.current == self.sealed

    def as_json(self) -> dict[str, Any]:
        return {
            "column": self.column,
            "sealed": self.sealed,
            "current": self.current,
            "resealed": self.resealed,
            "unreadable": self.unreadable,
            "missing_keys": list(self.missing_keys),
        }


def sealed_columns() -> Iterator[SealedField]:
    """Every sealed column of every installed app, the host's own included."""
    for model in apps.get_models(include_auto_created=True):
        yield from (field for field in model._meta.local_fields if isinstance(field, SealedField))


def column_name(field: SealedField) -> str:
    return f"{field.model._meta.label_lower}.{field.attname}"


def key_ids(field: SealedField, *, using: str) -> set[str]:
    """The keys that the values of a column are sealed with."""
    rows = _sealed_rows(field, using=using).annotate(_key_id=Substr(field.attname, len(VERSION) + 2, KEY_ID_CHARS))
    return set(rows.order_by().values_list("_key_id", flat=True).distinct())


def rotate(field: SealedField, *, progress: Callable[[int], None] | None = None) -> ColumnReport:
    """Seals a column's values anew that aren't under the first key; ``progress`` is told how many so far.

    Each value is a transaction of its own, so nobody waits for it, and whatever ends a rotation, the next one goes on
    where it stood. Raises VaultError without a key.
    """
    using = router.db_for_write(field.model)
    resealed, unreadable, missing = 0, 0, Counter[str]()
    for _ in range(PASSES):
        overtaken, unreadable = 0, 0
        missing.clear()
        for row in _stale(field, using=using):
            try:
                done = _reseal(field, row, using=using)
            except VaultError as error:
                unreadable += 1
                if isinstance(error, KeyMissing):
                    missing[str(error.facts["key_id"])] += 1
                continue
            resealed, overtaken = resealed + done, overtaken + (not done)
            if progress:
                progress(resealed)
        if not overtaken:
            break
    everything = _sealed_rows(field, using=using)
    return ColumnReport(
        column=column_name(field),
        sealed=everything.count(),
        current=everything.filter(**_under_first_key(field)).count(),
        resealed=resealed,
        unreadable=unreadable,
        missing_keys=tuple(sorted(missing)),
    )


def _reseal(field: SealedField, row: Model, *, using: str) -> bool:
    """Seals one value anew unless somebody changed it in the meantime; whether it was. KeyMissing, SealBroken."""
    old = row.__dict__[field.attname]  # as it stands in the column: the attribute would open it
    new = field.seal(row, field.open(row, old))
    return bool(_rows(field, using=using).filter(pk=row.pk, **{field.attname: old}).update(**{field.attname: new}))


def _stale(field: SealedField, *, using: str) -> Iterator[Model]:
    """The rows whose value isn't under the first key, each once, in batches of those that are there by then."""
    stale = _sealed_rows(field, using=using).exclude(**_under_first_key(field)).order_by("pk")
    batch = list(stale[:BATCH])
    while batch:
        yield from batch
        batch = list(stale.filter(pk__gt=batch[-1].pk)[:BATCH])


def _sealed_rows(field: SealedField, *, using: str) -> QuerySet[Model]:
    return _rows(field, using=using).filter(**{f"{field.attname}__isnull": False})


def _rows(field: SealedField, *, using: str) -> QuerySet[Model]:
    return field.model._base_manager.using(using)


def _under_first_key(field: SealedField) -> dict[str, str]:
    return {f"{field.attname}__startswith": settings.box.prefix}
