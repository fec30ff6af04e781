"""Campaigns for tests: registrations, organisations that let us in, accounts, somebody who may move them."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import Permission
from django.utils import timezone

from mailaccounts.models import MailAccount, MigrationRun, MigrationStep, OAuthClient, TenantAccess
from mailaccounts.services.campaigns import campaign, invitations, readiness
from mailaccounts.services.moving import steps
from tests.app.builders import make_account, make_client, make_credential, make_user


def make_owner(name: str = "", *, email: str = "") -> Any:
    user = make_user(name)
    user.email = email or f"{user.username}@people.test"
    user.save()
    return user


def make_movable(address: str = "", *, owner: Any = None, **columns: Any) -> MailAccount:
    """An account with a password, whose owner can be told."""
    return make_credential(make_account(owner or make_owner(), address, **columns)).account


def make_administrator(name: str = "admin") -> Any:
    """Staff who may move accounts, and nothing else."""
    user = make_user(name)
    user.is_staff = True
    user.save()
    user.user_permissions.add(Permission.objects.get(codename="change_migrationrun"))
    return user


def lets_in(client: OAuthClient, tenant: str = "the-tenant", *, canary: str = "canary@org.test") -> TenantAccess:
    """An organisation whose access is on."""
    OAuthClient.objects.filter(pk=client.pk).update(app_only=True)
    now = timezone.now()
    return TenantAccess.objects.create(
        client=client, tenant=tenant, canary=canary, proven_at=now, canary_refused_at=now, is_on=True
    )


def make_campaign(*accounts: MailAccount, to: str = "xoauth2", client: OAuthClient | None = None, **plan: Any) -> Any:
    """A campaign of these accounts that nobody has started yet."""
    client = client or make_client()
    found = readiness.judge(accounts, app_only=to == "app_only", client=client)
    return campaign.create(found, name="Spring", to=to, client=client, **plan)


def step_of(run: MigrationRun, account: MailAccount) -> MigrationStep:
    return MigrationStep.objects.get(run=run, account=account)


def invitation_for(account: MailAccount) -> str:
    """What the link in the account's invitation ends in."""
    run = MigrationRun.objects.create(to="xoauth2", client=make_client(provider="oidc", name="Company"))
    step = steps.begin(account, run)
    invitations.invite(step)
    return invitations.token_of(step)
