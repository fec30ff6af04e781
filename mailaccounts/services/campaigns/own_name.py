"""Signing an account in without its user: what takes the place of its owner's consent when it moves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mailaccounts.errors import OrganisationOff
from mailaccounts.models import TenantAccess
from mailaccounts.services.connecting.wish import Purpose, Wish
from mailaccounts.services.organisations import apponly, canary

if TYPE_CHECKING:
    from mailaccounts.models import Grant, MailAccount, OAuthClient


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnName:
    """What an account signs in with when its organisation lets us in (services.moving.migrate.NewSignIn)."""

    wish: Wish
    backend: str
    grant: Grant

    @property
    def credential(self) -> dict[str, Any]:
        return {"backend": self.backend, "username": self.wish.mailbox, "grant": self.grant}


def own_name(account: MailAccount, client: OAuthClient, *, tenant: str) -> OwnName:
    """The access to the account's mailbox that its organisation gave us. All accounts of a Microsoft tenant get the
    same grant, so that one token serves them all.

    OrganisationOff, also when the canary, which is tried first unless it was a moment ago, isn't refused; and what
    ``apponly.grant_for`` raises.
    """
    access = TenantAccess.objects.select_related("client").filter(client=client, tenant=tenant).first()
    if access is None:
        raise OrganisationOff(organisation=tenant)
    canary.insist_on_recent(access)
    wish = Wish.of(account, Purpose.SWITCH, shared=False)
    grant = apponly.grant_for(client, tenant=tenant, mailbox=wish.mailbox)
    return OwnName(wish=wish, backend=apponly.backend_slug(), grant=grant)
