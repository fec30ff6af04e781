"""Barring an address or a domain: nobody there counts as a contact, and what was stored because of them is erased."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import transaction

from crm.models import Barred
from mailaccounts.models import Why
from mailaccounts.services.people import directory, forgetting, justified

if TYPE_CHECKING:
    from mailaccounts.models import Erasing
    from mailaccounts.services.people.justified import Unjustified


def would_erase(pattern: str) -> Unjustified:
    """How much stored mail nobody would justify any more, counted as if ``pattern`` were barred already."""
    with transaction.atomic():
        Barred.objects.get_or_create(pattern=pattern)
        found = justified.count([pattern])
        transaction.set_rollback(True)
    return found


@transaction.atomic
def bar(pattern: str, *, by: Any, why: Why = Why.BARRED) -> Erasing:
    """Bars ``pattern`` and has a worker erase what nobody justifies any more, or all mail with a PERSON."""
    Barred.objects.get_or_create(pattern=pattern, defaults={"by": by})
    directory.removed([pattern])
    return forgetting.begin([pattern], why=why, asked_by=by)


@transaction.atomic
def lift(barred: Barred) -> None:
    """Lets whoever it is about be a contact again, and has earlier mail with them looked for."""
    barred.delete()
    directory.added([barred.pattern])
