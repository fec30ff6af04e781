"""Which accounts can move, and how: told from what is stored, asking nobody and touching nothing.

An account moves at once where its organisation's access is on (TenantAccess), else with its owner's consent, or not at
all; then ``trouble`` says why.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from mailaccounts.backends.base import ConsentBackend
from mailaccounts.backends.registry import backends
from mailaccounts.errors import (
    AlreadyMoving,
    ClientMissing,
    MailAccountsError,
    NoConsentThere,
    NotConnected,
    OnItAlready,
    OtherProvider,
    OwnerInactive,
)
from mailaccounts.models import AccountStatus, Credential, CredentialState, Grant, MigrationStep, TenantAccess
from mailaccounts.presets import find
from mailaccounts.rules.migration_states import UNDER_WAY, MigrationState
from mailaccounts.selectors import is_deactivated
from mailaccounts.services.connecting.detect import provider_of
from mailaccounts.services.registering import clients

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from datetime import date
    from uuid import UUID

    from mailaccounts.models import MailAccount, OAuthClient


class Way(StrEnum):
    """How an account can move."""

    AT_ONCE = "at_once"
    OWNER = "owner"
    CANNOT = "cannot"


@dataclass(frozen=True, slots=True, kw_only=True)
class Readiness:
    """``provider`` is what people call it, "" for one that nobody knows. ``before`` is the backend in use, "" for
    none, ``ends`` the day that its provider has announced for it. ``client`` is the registration to move with, and
    ``tenant`` the organisation that lets us in. ``trouble`` is set for an account that can't move."""

    account: MailAccount
    provider: str
    before: str
    way: Way
    ends: date | None = None
    client: OAuthClient | None = None
    tenant: str = ""
    trouble: MailAccountsError | None = None


def judge(
    accounts: Iterable[MailAccount], *, app_only: bool, client: OAuthClient | None = None, step: UUID | None = None
) -> list[Readiness]:
    """How each of ``accounts`` can move: by access without its user where ``app_only`` wants that and it is on, else
    by its owner's consent. The same few queries for any number of accounts.

    ``client`` is the registration to move with, None for any that fits; ``step`` one that is under way for this.
    """
    found = list(accounts)
    facts = _Facts(found, app_only=app_only, client=client, step=step)
    return [facts.of(account) for account in found]


class _Facts:
    """What is stored of all these accounts, read once."""

    def __init__(
        self, accounts: Collection[MailAccount], *, app_only: bool, client: OAuthClient | None, step: UUID | None
    ) -> None:
        active = Credential.objects.filter(account__in=accounts, state=CredentialState.ACTIVE).defer("secret")
        self._credentials = {each.account_id: each for each in active.select_related("grant")}
        moving = MigrationStep.objects.filter(account__in=accounts, state__in=UNDER_WAY - {MigrationState.FAILED})
        self._moving = set((moving.exclude(pk=step) if step else moving).values_list("account", flat=True))
        self._client, self._app_only = client, app_only
        self._offered = clients.offered()
        self._consents = {slug for slug, each in backends().items() if isinstance(each, ConsentBackend)}
        self._organisations = _Organisations(client) if app_only else None

    def of(self, account: MailAccount) -> Readiness:
        preset, current = provider_of(account), self._credentials.get(account.pk)
        label, before = preset.label if preset else "", current.backend if current else ""
        end = preset.end_of(before) if preset else None
        ends = end.on if end else None
        access = self._organisations.access_for(account, current) if self._organisations else None
        trouble = self._in_the_way(account, current)
        if trouble is None and access is not None:
            return Readiness(
                account=account,
                provider=label,
                before=before,
                ends=ends,
                way=Way.AT_ONCE,
                client=access.client,
                tenant=access.tenant,
            )
        client = None
        if trouble is None:
            try:
                client = self._registration(account)
            except MailAccountsError as error:
                trouble = error
        way = Way.CANNOT if trouble else Way.OWNER
        return Readiness(
            account=account, provider=label, before=before, ends=ends, way=way, client=client, trouble=trouble
        )

    def _in_the_way(self, account: MailAccount, current: Credential | None) -> MailAccountsError | None:
        """What keeps the account from moving, whoever would consent."""
        if account.status == AccountStatus.DISCONNECTED:
            return NotConnected(address=account.address)
        if account.pk in self._moving:
            return AlreadyMoving(address=account.address)
        if current is None or current.backend not in self._consents:
            return None
        gains = self._organisations and self._organisations.access_for(account, current)
        is_app_only = bool(current.grant and current.grant.app_only)
        return None if gains and not is_app_only else OnItAlready(address=account.address)

    def _registration(self, account: MailAccount) -> OAuthClient:
        """The registration that the account's owner would consent with. Raises why there is none."""
        preset = provider_of(account)
        if preset is not None and not preset.provider:
            raise NoConsentThere(provider=preset.label)
        fits = [each for each in self._offered if preset is None or each.provider == preset.provider]
        if self._client is not None:
            if preset is not None and preset.provider != self._client.provider:
                to = clients.label(preset.provider)
                raise OtherProvider(address=account.address, provider=preset.label, registered_with=to)
            fits.sort(key=lambda each: each != self._client)
        if not fits:
            raise ClientMissing(provider=clients.label(preset.provider) if preset else "any provider")
        if is_deactivated(account.owner):
            raise OwnerInactive(address=account.address)
        return fits[0]


class _Organisations:
    """The organisations whose access is on, by what is known of their mailboxes without asking."""

    def __init__(self, client: OAuthClient | None) -> None:
        found = TenantAccess.objects.filter(is_on=True, client__app_only=True, client__is_active=True)
        if client is not None:
            found = found.filter(client=client)
        self._by_tenant: dict[str, TenantAccess] = {}
        self._by_domain: dict[str, TenantAccess] = {}
        for access in found.select_related("client").order_by("pk"):
            self._by_tenant.setdefault(access.tenant.lower(), access)
            # A tenant of Google's is a domain; the canary was tried as a mailbox of the organisation.
            for domain in (access.tenant, _domain(access.canary), _domain(access.consented_by)):
                self._learn(domain, access)
        seen = Grant.objects.filter(tenant__in=[each.tenant for each in self._by_tenant.values()], app_only=False)
        for tenant, address in seen.values_list("tenant", "signed_in_as").distinct():
            self._learn(_domain(address), self._by_tenant[tenant.lower()])

    def access_for(self, account: MailAccount, current: Credential | None) -> TenantAccess | None:
        """The access that opens the account's mailbox, as far as is known: whether it does, its server says."""
        if current is not None and current.grant is not None and current.grant.tenant:
            known = self._by_tenant.get(current.grant.tenant.lower())
            if known is not None:
                return known
        access = self._by_domain.get(_domain(account.address))
        preset = provider_of(account)
        if access is None or (preset is not None and preset.provider != access.client.provider):
            return None
        return access

    def _learn(self, domain: str, access: TenantAccess) -> None:
        """Guests of an organisation sign in with a provider's addresses; those domains are everybody's."""
        if "." in domain and find(f"somebody@{domain}") is None:
            self._by_domain.setdefault(domain.lower(), access)


def _domain(address: str) -> str:
    return address.rpartition("@")[2].lower() if "@" in address else ""
