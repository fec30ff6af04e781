"""Who an account belongs to at its provider: the person who consented first, known by ids and never by an address."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from mailaccounts.errors import AnotherAddress, WrongIdentity
from mailaccounts.models import AuditAction, AuditEntry
from mailaccounts.oauth.types import Identity
from mailaccounts.services.credentials import in_use

if TYPE_CHECKING:
    from mailaccounts.models import Credential, Grant, MailAccount
    from mailaccounts.services.wish import Wish

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


def insist_on_person(wish: Wish, who: Identity, *, provider: str, owner: Identity | None) -> None:
    """Lets nobody but ``owner`` sign an account in; without one, somebody whose address is the mailbox's.

    WrongIdentity; AnotherAddress when the addresses differ and nobody said that they may. Addresses are a hint, not a
    proof (Entra's ID token claims reference): what counts in the end is that the mail server opens the mailbox.
    """
    facts = {"provider": provider, "signed_in_as": who.address or "somebody", "address": wish.draft.address}
    if owner is not None and not _same(owner, who):
        raise WrongIdentity(**facts, expected=owner.address or "somebody else")
    names = {wish.draft.address.lower(), wish.mailbox.lower(), ""}
    if owner is None and not wish.shared and who.address.lower() not in names:
        raise AnotherAddress(**facts)


def _same(one: Identity, other: Identity) -> bool:
    """For Entra by tenant and object id, elsewhere by issuer and subject."""
    if one.object_id and other.object_id:
        return (one.tenant, one.object_id) == (other.tenant, other.object_id)
    return (one.issuer, one.subject) == (other.issuer, other.subject)


def _last_sign_in(account: MailAccount) -> dict[str, Any]:
    entries = AuditEntry.objects.filter(account=account.pk, action__in=SIGN_INS)
    facts: dict[str, Any] | None = entries.values_list("facts", flat=True).first()
    return facts or {}
