"""Who an account belongs to at its provider: the person who consented first, known by ids and never by an address."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from mailaccounts.models import AuditAction, AuditEntry
from mailaccounts.oauth.types import Identity
from mailaccounts.services.signing_in.credentials import in_use

if TYPE_CHECKING:
    from mailaccounts.models import Credential, Grant, MailAccount

SIGN_INS = (AuditAction.CONNECTED, AuditAction.RECONNECTED, AuditAction.SWITCHED, AuditAction.ROLLED_BACK)


def identity_of(grant: Grant) -> Identity:
    return Identity(
        issuer=grant.issuer,
        subject=grant.subject,
        tenant=grant.tenant,
        object_id=grant.object_id,
        address=grant.signed_in_as,
    )


def pinned(account: MailAccount) -> Identity | None:
    """The person whose consent the account uses, ended or not; None for one that signs in with something typed.

    A disconnected account has neither credential nor grant any more: then the audit trail says who it was.
    """
    credential = in_use(account)
    if credential is not None:
        grant = credential.grant
        return identity_of(grant) if grant and not grant.app_only else None
    signed_in = _last_sign_in(account)
    return Identity(**signed_in["identity"]) if "identity" in signed_in else None


def is_shared(account: MailAccount) -> bool:
    """Whether somebody else than the mailbox signs in, or did before it was disconnected."""
    credential = in_use(account)
    return bool(credential.smtp_username if credential else _last_sign_in(account).get("shared"))


def facts_of(credential: Credential, *, sends: bool) -> dict[str, Any]:
    """What the audit trail keeps of a sign-in."""
    facts: dict[str, Any] = {"backend": credential.backend, "shared": bool(credential.smtp_username), "sends": sends}
    if credential.grant and not credential.grant.app_only:
        facts["identity"] = asdict(identity_of(credential.grant))
    return facts


def _last_sign_in(account: MailAccount) -> dict[str, Any]:
    entries = AuditEntry.objects.filter(account=account.pk, action__in=SIGN_INS)
    facts: dict[str, Any] | None = entries.values_list("facts", flat=True).first()
    return facts or {}
