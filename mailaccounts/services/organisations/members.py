"""The mailboxes of an organisation that lets us in: those that sign in so, those that are moved to it, and those that
are closed to us all the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.db.models import Count, OuterRef, Q, Subquery
from django.db.models.functions import Coalesce

from mailaccounts.errors import MailboxClosed, MailboxNotConnected, PermissionMissing, SendingClosed
from mailaccounts.models import Credential, CredentialState, MailAccount, MigrationRun, MigrationStep
from mailaccounts.rules.migration_states import MigrationState

if TYPE_CHECKING:
    from django.db.models import QuerySet

    from mailaccounts.models import TenantAccess

CLOSED = [each.code for each in (MailboxClosed, MailboxNotConnected, PermissionMissing, SendingClosed)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A mailbox that the organisation let us into, and its server did not: to read, to send, or both."""

    address: str
    reading: bool
    sending: bool


def accounts_of(access: TenantAccess) -> QuerySet[MailAccount]:
    """The accounts that sign in with this access."""
    return MailAccount.objects.filter(
        credentials__state=CredentialState.ACTIVE,
        credentials__grant__app_only=True,
        credentials__grant__client=access.client_id,
        credentials__grant__tenant=access.tenant,
    )


def with_number_of_accounts(rows: QuerySet[TenantAccess]) -> QuerySet[TenantAccess]:
    """Organisations, each with its ``number_of_accounts``; no query more."""
    theirs = Credential.objects.filter(
        state=CredentialState.ACTIVE,
        grant__app_only=True,
        grant__client=OuterRef("client"),
        grant__tenant=OuterRef("tenant"),
    )
    number = theirs.order_by().values("grant__client").annotate(number=Count("pk")).values("number")
    return rows.annotate(number_of_accounts=Coalesce(Subquery(number), 0))


def runs_of(access: TenantAccess) -> QuerySet[MigrationRun]:
    """The campaigns that move accounts to this access, newest first, each with how far it is: ``accounts``, ``moved``
    and ``failed``."""
    runs = MigrationRun.objects.filter(client=access.client_id, tenant=access.tenant, by_owner=False)
    return runs.annotate(
        accounts=Count("steps"),
        moved=Count("steps", filter=Q(steps__state=MigrationState.SWITCHED)),
        failed=Count("steps", filter=Q(steps__state=MigrationState.FAILED)),
    ).order_by("-created_at")


def refused(access: TenantAccess) -> list[Refused]:
    """The mailboxes that are still closed: those whose move failed by that, and those closed again since."""
    domains = {_domain(access.canary), _domain(access.consented_by), access.tenant.lower()} - {""}
    moves = MigrationStep.objects.filter(
        state=MigrationState.FAILED, code__in=CLOSED, account__isnull=False, run__client=access.client_id
    )
    found = {
        step.account.address: _refused(step.account, step.code)
        for step in moves.select_related("account", "run")
        if step.account and (step.run.tenant == access.tenant or _domain(step.address) in domains)
    }
    for account in accounts_of(access).filter(status_code__in=CLOSED):
        found[account.address] = _refused(account, account.status_code)
    return [found[address] for address in sorted(found)]


def _refused(account: MailAccount, code: str) -> Refused:
    reading = code != SendingClosed.code
    return Refused(address=account.address, reading=reading, sending=bool(account.smtp_host))


def _domain(address: str) -> str:
    return address.rpartition("@")[2].lower() if "@" in address else ""
