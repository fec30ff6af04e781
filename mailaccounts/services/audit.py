"""Notes what was done with an account, in the same transaction as the deed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mailaccounts.models import AuditEntry

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mailaccounts.models import AuditAction, MailAccount


def note(action: AuditAction, account: MailAccount, *, actor: Any = None, **facts: Any) -> AuditEntry:
    """Writes an entry; ``actor`` is None for what we do by ourselves, ``facts`` are JSON without any secret.

    An account that came to nothing, and so isn't saved, is number 0.
    """
    return AuditEntry.objects.create(
        action=action,
        account=account.pk or 0,
        address=account.address,
        owner_id=account.owner_id,
        actor=actor,
        facts=facts,
    )


def note_each(action: AuditAction, accounts: Iterable[MailAccount], *, actor: Any) -> None:
    """Writes an entry for each of these accounts, in as few statements as may be."""
    AuditEntry.objects.bulk_create(
        (
            AuditEntry(action=action, account=each.pk, address=each.address, owner_id=each.owner_id, actor=actor)
            for each in accounts
        ),
        batch_size=1000,
    )


def follow_up(receipt: AuditEntry, **facts: Any) -> AuditEntry:
    """Writes what came later of what ``receipt`` tells."""
    return AuditEntry.objects.create(
        action=receipt.action,
        account=receipt.account,
        address=receipt.address,
        owner_id=receipt.owner_id,
        facts={"receipt": str(receipt.pk), **facts},
    )
