"""Registrations that may act in their own name in the sandbox, and organisations that let them in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.utils import timezone

from mailaccounts.crypto import Secret
from mailaccounts.models import OAuthClient, TenantAccess
from mailaccounts.services.campaigns.own_name import own_name
from mailaccounts.services.connecting.connect import host_columns
from mailaccounts.services.moving import migrate, steps
from mailaccounts.testing.sandbox.registrations import redirect_uris
from tests.app.builders import make_account, make_client, make_credential

if TYPE_CHECKING:
    from mailaccounts.models import MailAccount, MigrationRun, MigrationStep
    from mailaccounts.testing.sandbox import Sandbox, SandboxUser
    from mailaccounts.testing.sandbox.provider import IdentityProvider

ADMIN_CONSENT_URI = redirect_uris("microsoft")[4]


def registered(idp: IdentityProvider, kind: str = "microsoft", **columns: object) -> OAuthClient:
    """A registration as an administrator adds it, with access without users allowed."""
    registration = {
        "microsoft": idp.registration,
        "certificate": idp.certificate_registration,
        "google": idp.service_account_registration,
        "oidc": idp.registrations["oidc"],
    }[kind]
    return make_client(
        **{
            "provider": "microsoft" if kind == "certificate" else kind,
            "authority": registration.authority,
            "tenant": registration.tenant,
            "client_id": registration.client_id,
            "client_secret": Secret(registration.client_secret),
            "proof": registration.proof,
            "app_only": True,
            **columns,
        }
    )


def let_in(client: OAuthClient, idp: IdentityProvider, **columns: Any) -> TenantAccess:
    """The sandbox's organisation has let the registration in, and its canary was refused."""
    now = timezone.now()
    tenant = idp.tenant if client.provider == "microsoft" else "sandbox.test"
    defaults = {"canary": "canary@sandbox.test", "canary_checked_at": now, "canary_refused_at": now}
    return TenantAccess.objects.create(
        **{"client": client, "tenant": tenant, "proven_at": now, "is_on": True, **defaults, **columns}
    )


def by_password(sandbox: Sandbox, user: SandboxUser) -> MailAccount:
    """The account of somebody whose password works, as if it had been connected with it."""
    account = make_account(address=user.address, **host_columns(sandbox.imap, sandbox.smtp))
    make_credential(account, secret=user.password)
    return account


def move(account: MailAccount, run: MigrationRun) -> MigrationStep:
    """As a worker moves it to its organisation's access."""
    step = steps.begin(account, run)
    migrate.store_pending(step, own_name(account, run.client, tenant=run.tenant))
    return migrate.go_on(step)


def tokens_issued(sandbox: Sandbox) -> int:
    """By Microsoft so far, as its own log counts them."""
    return (sandbox.directory / "idp.log").read_text().count("/oauth2/v2.0/token 200")
