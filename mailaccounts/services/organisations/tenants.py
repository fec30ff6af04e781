"""Organisations that let us open their mailboxes: proven by a token of theirs, watched, and off again when in doubt.

A tenant is a directory at Microsoft and a domain at Google. Its access is used only while it is on, and it comes on
only once its canary was refused (services.organisations.canary).
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.utils import timezone

from mailaccounts.errors import (
    AuthorityUnknown,
    CanaryMissing,
    MailAccountsError,
    OrganisationSwitchedOff,
    OrganisationUnclear,
    RolesMissing,
)
from mailaccounts.models import AuditAction, MailAccount, TenantAccess
from mailaccounts.services.organisations import apponly, members
from mailaccounts.services.registering import clients, registrations
from mailaccounts.services.telling.operators import tell
from mailaccounts.services.trail.audit import note

if TYPE_CHECKING:
    from datetime import datetime

    from django.db.models import QuerySet

    from mailaccounts.models import OAuthClient
    from mailaccounts.oauth.types import Issued

logger = logging.getLogger(__name__)


def fresh_token(client: OAuthClient, *, tenant: str, mailbox: str = "") -> Issued:
    """A new token of our own for the organisation: the proof that it lets us in.

    AppOnlyOff; RolesMissing when the token doesn't say that we may read; and what the provider raises.
    """
    speaker = apponly.provider_of(client)
    state = speaker.app_only(tenant=tenant, mailbox=mailbox)
    issued = registrations.ask(client, lambda provider: provider.refresh(state))
    needed = {scope.name for scope in speaker.application_scopes if not scope.sends}
    if not needed <= issued.scopes:
        raise RolesMissing(provider=speaker.label)
    return issued


def tenant_of(client: OAuthClient, mailbox: str) -> str:
    """The organisation that ``mailbox`` belongs to, as its provider says of its domain; "" for none."""
    speaker = apponly.provider_of(client)
    try:
        return speaker.principal(speaker.app_only(tenant=mailbox.rpartition("@")[2], mailbox=mailbox)).tenant
    except AuthorityUnknown:
        return ""


def insist_on_belonging(access: TenantAccess, mailbox: str) -> None:
    """OrganisationUnclear for a mailbox that isn't the organisation's; what the provider raises when it isn't there
    to say."""
    if tenant_of(access.client, mailbox).lower() != access.tenant.lower():
        raise OrganisationUnclear(address=mailbox, organisation=access.tenant)


def admit(client: OAuthClient, *, tenant: str, issued: Issued, by: str, actor: Any) -> TenantAccess:
    """Notes that the organisation lets us in, as a token has just proven. ``by`` is its administrator who consented,
    as the provider names them; ``actor`` our user. It stays off until its canary is refused."""
    now = timezone.now()
    proven = {"consented_by": by, "consented_at": now, "roles": _roles(issued), "proven_at": now}
    with transaction.atomic():
        access, created = TenantAccess.objects.update_or_create(client=client, tenant=tenant, defaults=proven)
        if created:
            _column(access, code=CanaryMissing.code)
        _note(access, actor, what="consented", by=by, roles=access.roles)
    logger.info("organisation %s let app registration %s in", access.pk, client.pk)
    return access


def proven(access: TenantAccess, issued: Issued) -> None:
    """Keeps what a new token allows."""
    _column(access, roles=_roles(issued), proven_at=timezone.now())


def switch_on(access: TenantAccess, *, canary: str, actor: Any = None) -> None:
    """Brings the access into force, now that ``canary`` was refused; not if somebody has named another meanwhile, nor
    by ourselves if somebody has switched it off. The accounts that waited for it are due."""
    now = timezone.now()
    wanted = actor and access.code == OrganisationSwitchedOff.code  # and not only by somebody else meanwhile
    row = _row(access) if wanted else _row(access).exclude(code=OrganisationSwitchedOff.code)
    judged = {"canary": canary, "code": "", "canary_checked_at": now, "canary_refused_at": now}
    with transaction.atomic():
        came_on = row.filter(is_on=False).update(is_on=True, **judged)
        if came_on:
            _note(access, actor, what="switched_on", canary=canary)
            _due(access, now)
        else:
            row.update(**judged)
    access.refresh_from_db()


def switch_off(access: TenantAccess, error: MailAccountsError, *, canary: str = "", actor: Any = None) -> None:
    """Takes the access out of force at once: no account gets a token of it any more, whoever syncs right now.

    ``canary`` is the one by which that showed. The access's accounts are due, and so learn why they rest. The operator
    is told once, unless somebody did it by hand.
    """
    now = timezone.now()
    judged = {"code": error.code, "canary_checked_at": now, **({"canary": canary} if canary else {})}
    if isinstance(error, OrganisationSwitchedOff):  # whatever its canary is by now
        row = TenantAccess.objects.filter(pk=access.pk)
    else:
        row = _row(access) if actor else _row(access).exclude(code=OrganisationSwitchedOff.code)
    with transaction.atomic():
        went_off = row.filter(is_on=True).update(is_on=False, **judged)
        if went_off:
            _note(access, actor, what="switched_off", code=error.code)
            _due(access, now)
        else:
            row.update(**judged)
    access.refresh_from_db()
    if not went_off:
        return
    logger.error("access to organisation %s is switched off: %s", access.pk, error.code)
    if not isinstance(error, OrganisationSwitchedOff):
        tell(
            f"Access to the mailboxes of {access.tenant} was switched off",
            f"{error.message}\n\nIt is in the admin, under Mail accounts → Organisations. The accounts that need it "
            "rest until it is on again; nothing signs in with a password instead. Their owners can sign in themselves "
            "meanwhile.",
        )


def switch_off_by_hand(access: TenantAccess, *, actor: Any) -> None:
    """Somebody wants it off; it comes on again when somebody has it checked."""
    switch_off(access, OrganisationSwitchedOff(), actor=actor)


def trouble(access: TenantAccess) -> MailAccountsError | None:
    """Why the access is off, in words; None while it is on."""
    if access.is_on:
        return None
    meaning = MailAccountsError.coded(access.code) or CanaryMissing
    label = clients.label(access.client.provider)
    return meaning(organisation=access.tenant, canary=access.canary, provider=label)


def note_refusal(client: OAuthClient, error: MailAccountsError, *, tenant: str, actor: Any) -> None:
    """Notes that letting us in came to nothing."""
    _note(TenantAccess(client=client, tenant=tenant), actor, what="refused", code=error.code)


def _row(access: TenantAccess) -> QuerySet[TenantAccess]:
    """The row, unless its canary isn't the one that was judged."""
    return TenantAccess.objects.filter(pk=access.pk, canary=access.canary)


def _due(access: TenantAccess, now: datetime) -> None:
    accounts = members.accounts_of(access).values("pk")
    MailAccount.objects.filter(pk__in=accounts).update(next_sync_at=now)


def _roles(issued: Issued) -> str:
    return " ".join(sorted(issued.scopes))


def _column(access: TenantAccess, **columns: Any) -> None:
    """Writes these columns and no other: somebody may be switching the access meanwhile."""
    TenantAccess.objects.filter(pk=access.pk).update(**columns)
    access.refresh_from_db()


def _note(access: TenantAccess, actor: Any, **facts: Any) -> None:
    """In the audit trail an organisation has no account and no owner."""
    nobodys = MailAccount(address=access.tenant)
    note(AuditAction.TENANT_CHANGED, nobodys, actor=actor, client=access.client.name, **facts)
