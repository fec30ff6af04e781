"""Notes what was done with an account, in the same transaction as the deed, and signs it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ImproperlyConfigured

from mailaccounts.conf import settings
from mailaccounts.models import AuditEntry

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mailaccounts.models import AuditAction, MailAccount


def note(action: AuditAction, account: MailAccount, *, actor: Any = None, **facts: Any) -> AuditEntry:
    """Writes an entry; ``actor`` is None for what we do by ourselves, ``facts`` are JSON without any secret.

    An account that came to nothing, and so isn't saved, is number 0.
    """
    return _write(
        action=action,
        account=account.pk or 0,
        address=account.address,
        owner_id=account.owner_id,
        actor=actor,
        facts=facts,
    )


def note_of_none(action: AuditAction, *, actor: Any = None, **facts: Any) -> AuditEntry:
    """The same of what is about no account."""
    return _write(action=action, account=0, address="", actor=actor, facts=facts)


def note_each(action: AuditAction, accounts: Iterable[MailAccount], *, actor: Any) -> None:
    """Writes an entry for each of these accounts, in as few statements as may be."""
    AuditEntry.objects.bulk_create(
        (
            _signed(action=action, account=each.pk, address=each.address, owner_id=each.owner_id, actor=actor)
            for each in accounts
        ),
        batch_size=1000,
    )


def follow_up(receipt: AuditEntry, **facts: Any) -> AuditEntry:
    """Writes what came later of what ``receipt`` tells."""
    return _write(
        action=receipt.action,
        account=receipt.account,
        address=receipt.address,
        owner_id=receipt.owner_id,
        facts={"receipt": str(receipt.pk), **facts},
    )


def _write(**columns: Any) -> AuditEntry:
    entry = _signed(**columns)
    entry.save(force_insert=True)
    return entry


def _signed(**columns: Any) -> AuditEntry:
    entry = AuditEntry(**columns)
    entry.facts = json.loads(json.dumps(entry.facts))  # as they come out of the database again
    entry.signature = _sign(entry.statement)
    return entry


def _sign(text: str) -> str:
    """ "" where nothing can be signed: keys that are missing or spoilt must not keep anybody from disconnecting."""
    try:
        return str(settings.box.sign(text) or "")
    except ImproperlyConfigured:
        return ""
