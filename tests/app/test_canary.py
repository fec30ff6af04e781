"""A mailbox that must stay closed: access is on only once it was refused, and off the moment it opens."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.core import mail
from django.db import IntegrityError
from django.utils import timezone

from mailaccounts import tasks
from mailaccounts.errors import (
    CanaryOpened,
    InvalidInput,
    MailAccountsError,
    NetworkError,
    OrganisationUnclear,
    ProviderUnavailable,
    UserUnknownAtProvider,
)
from mailaccounts.models import AuditEntry, Grant, MailAccount, TenantAccess
from mailaccounts.services.organisations import apponly, canary, tenants
from mailaccounts.services.syncing.sync import sync_account
from tests.app.builders import make_user
from tests.app.organisations import let_in, registered
from tests.rewriting import rewriting
from tests.sandbox_crm import draft_of
from tests.sandbox_fixtures import new_user

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_django.fixtures import SettingsWrapper

    from mailaccounts.testing.sandbox import Sandbox, SandboxUser
    from tests.sandbox_fixtures import SandboxMailbox

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _operator(settings: SettingsWrapper) -> None:
    settings.ADMINS = [("Ops", "ops@crm.test")]


@pytest.fixture
def boss() -> Any:
    return make_user("boss")


@pytest.fixture(params=["microsoft", "google"])
def off(request: pytest.FixtureRequest, world: Sandbox) -> TenantAccess:
    """An organisation that let us in, and has no canary yet."""
    return without_canary(world, request.param)


@pytest.fixture
def bird(world: Sandbox, off: TenantAccess) -> SandboxUser:
    """A mailbox of the organisation that is closed to applications."""
    return world.add_user(replace(new_user(domain=domain_of(off)), closed_to_apps=True))


@pytest.fixture
def colleague(off: TenantAccess, new_mailbox: Callable[..., SandboxMailbox]) -> Callable[[], SandboxMailbox]:
    """Makes mailboxes of the organisation."""
    return lambda: new_mailbox(domain=domain_of(off))


def without_canary(world: Sandbox, kind: str) -> TenantAccess:
    world.add_user(new_user(domain="google.test"))  # so that there is a Google in this world
    client = registered(world.idp, kind)
    tenant = world.idp.tenant if kind == "microsoft" else "google.test"
    columns = {"is_on": False, "canary": "", "canary_refused_at": None, "code": "canary_missing"}
    return let_in(client, world.idp, tenant=tenant, **columns)


def domain_of(access: TenantAccess) -> str:
    return "google.test" if access.client.provider == "google" else "sandbox.test"


@pytest.fixture
def on(off: TenantAccess, bird: SandboxUser, boss: Any) -> TenantAccess:
    """The same, proven by its canary."""
    canary.name(off, bird.address, actor=boss)
    assert off.is_on
    with rewriting():
        AuditEntry.objects.all().delete()
    return off


def open_to_apps(world: Sandbox, who: SandboxUser) -> None:
    world.add_user(replace(who, closed_to_apps=False))


def account_of(mailbox: SandboxMailbox, access: TenantAccess) -> MailAccount:
    draft = draft_of(mailbox, make_user())
    return apponly.connect_app_only(draft, access.client, tenant=access.tenant)


def yesterday(access: TenantAccess) -> None:
    TenantAccess.objects.filter(pk=access.pk).update(canary_checked_at=timezone.now() - timedelta(hours=25))
    access.refresh_from_db()


def test_access_comes_on_once_the_canary_was_refused(off: TenantAccess, bird: SandboxUser, boss: Any) -> None:
    canary.name(off, bird.address, actor=boss)
    assert (off.is_on, off.canary, off.code) == (True, bird.address, "")
    assert off.canary_refused_at and off.canary_checked_at
    entry = AuditEntry.objects.get()
    assert (entry.actor, entry.facts["what"], entry.facts["canary"]) == (boss, "switched_on", bird.address)
    assert not Grant.objects.exists()  # a token for the canary is kept nowhere


def test_a_mailbox_that_opens_is_no_canary(
    off: TenantAccess, colleague: Callable[[], SandboxMailbox], boss: Any
) -> None:
    mailbox = colleague()
    canary.name(off, mailbox.address, actor=boss)
    assert (off.is_on, off.code) == (False, "canary_opened")
    trouble = tenants.trouble(off)
    assert trouble and mailbox.address in trouble.message
    assert mail.outbox == []  # it wasn't on, so nothing went off


def test_the_database_keeps_it_off_without_a_refused_canary(off: TenantAccess) -> None:
    with pytest.raises(IntegrityError):
        TenantAccess.objects.update(is_on=True)


@pytest.mark.parametrize("address", ["anna@elsewhere.example", "anna@", "", "an\nna@sandbox.test"])
def test_a_canary_is_a_mailbox_of_the_organisation(off: TenantAccess, boss: Any, address: str) -> None:
    """Anywhere else every mailbox would be refused."""
    with pytest.raises((OrganisationUnclear, InvalidInput)):
        canary.name(off, address, actor=boss)
    off.refresh_from_db()
    assert (off.is_on, off.canary) == (False, "")


def test_a_canary_that_google_does_not_know_proves_nothing(world: Sandbox, boss: Any) -> None:
    off = without_canary(world, "google")
    with pytest.raises(UserUnknownAtProvider):
        canary.name(off, "nobody@google.test", actor=boss)
    off.refresh_from_db()
    assert (off.is_on, off.canary) == (False, "")


def test_a_server_out_of_order_is_no_refusal(off: TenantAccess, bird: SandboxUser, boss: Any, world: Sandbox) -> None:
    """The token is good, and the mail server can't ask about it: UNAVAILABLE."""
    world.idp.faults.fail(endpoint="introspect", times=-1)
    with pytest.raises(NetworkError):
        canary.name(off, bird.address, actor=boss)
    off.refresh_from_db()
    assert (off.is_on, off.canary, off.canary_refused_at) == (False, "", None)


def test_a_server_out_of_order_leaves_access_as_it_was(on: TenantAccess, world: Sandbox) -> None:
    world.idp.faults.fail(endpoint="introspect", times=-1)
    yesterday(on)
    assert canary.check_due() == 1
    before = on.canary_refused_at
    on.refresh_from_db()
    assert (on.is_on, on.code, on.canary_refused_at) == (True, "", before)


def test_the_canary_is_tried_again_each_day(on: TenantAccess) -> None:
    assert canary.check_due() == 0
    before = on.canary_refused_at
    yesterday(on)
    assert canary.check_due() == 1
    on.refresh_from_db()
    assert on.is_on and on.canary_refused_at > before
    assert (canary.check_due(), AuditEntry.objects.count(), mail.outbox) == (0, 0, [])


def test_a_canary_that_opens_puts_everything_to_rest_at_once(
    on: TenantAccess, world: Sandbox, bird: SandboxUser, colleague: Callable[[], SandboxMailbox]
) -> None:
    accounts = [account_of(colleague(), on) for _ in range(2)]
    open_to_apps(world, bird)
    yesterday(on)
    tasks.canaries()
    on.refresh_from_db()
    assert (on.is_on, on.code) == (False, "canary_opened")
    assert [entry.facts for entry in AuditEntry.objects.filter(action="tenant_changed")] == [
        {"what": "switched_off", "code": "canary_opened", "client": on.client.name}
    ]
    assert len(mail.outbox) == 1
    assert bird.address in mail.outbox[0].body

    for account in accounts:
        account.refresh_from_db()
        assert account.next_sync_at <= timezone.now()
        assert sync_account(account.pk).error
        account.refresh_from_db()
        assert (account.status, account.status_code) == ("needs_admin", "organisation_off")
        assert account.credentials.get().backend == "app_only"  # and never a password instead

    yesterday(on)
    tasks.canaries()
    assert len(mail.outbox) == 1  # one notice, however often it is seen

    world.add_user(bird)
    canary.check(on, actor=None)
    assert on.is_on
    for account in accounts:
        account.refresh_from_db()
        assert account.next_sync_at <= timezone.now()
        assert sync_account(account.pk).error is None
        account.refresh_from_db()
        assert account.status == "ok"


def test_a_consent_that_was_withdrawn_is_noticed(
    on: TenantAccess, world: Sandbox, colleague: Callable[[], SandboxMailbox]
) -> None:
    account = account_of(colleague(), on)
    world.idp.faults.withdraw_admin_consent()
    world.idp.faults.withdraw_delegation()
    world.idp.faults.expire_access_tokens()
    TenantAccess.objects.update(canary_checked_at=timezone.now() - timedelta(hours=2))
    sync_account(account.pk)
    account.refresh_from_db()
    assert account.status == "needs_admin"

    assert canary.check_due() == 1  # an account that wasn't let in is a reason to look
    on.refresh_from_db()
    expected = "roles_missing" if on.client.provider == "microsoft" else "delegation_missing"
    assert (on.is_on, on.code) == (False, expected)
    assert len(mail.outbox) == 1
    assert tenants.trouble(on)

    world.idp.faults.reset()
    canary.check(on)
    assert on.is_on
    assert sync_account(account.pk).error is None


@pytest.mark.parametrize(
    "refusal",
    [
        {"error": "unauthorized_client", "code": 700016},
        {"error": "invalid_client", "code": 7000229, "status": 401},
        {"error": "invalid_grant", "code": 90094},
    ],
)
def test_a_directory_that_no_longer_knows_us_is_one_notice_and_no_fault_of_the_registration(
    world: Sandbox, refusal: dict[str, Any]
) -> None:
    """It says of its own directory's registration what it says of others'."""
    several = {"authority": f"{world.idp.authority}/organizations", "tenant": "organizations"}
    on = let_in(registered(world.idp, **several), world.idp)
    world.idp.faults.refuse(**refusal, times=-1)
    canary.check(on)
    assert (on.is_on, on.code) == (False, "admin_approval_needed")
    on.client.refresh_from_db()
    assert (on.client.alarm_code, len(mail.outbox)) == ("", 1)


def test_an_outage_says_nothing(on: TenantAccess, world: Sandbox) -> None:
    world.idp.faults.fail(times=-1)
    with pytest.raises(ProviderUnavailable):
        canary.check(on)
    on.refresh_from_db()
    assert on.is_on


def test_trouble_of_ours_is_not_the_organisations(on: TenantAccess, world: Sandbox) -> None:
    world.idp.faults.refuse("invalid_client", code=7000222, status=401, times=-1)
    if on.client.provider == "microsoft":
        with pytest.raises(MailAccountsError):
            canary.check(on)
        on.refresh_from_db()
        assert on.is_on


def test_whoever_switches_off_wins_against_checks_that_were_under_way(on: TenantAccess, boss: Any) -> None:
    seen = [TenantAccess.objects.get() for _ in range(3)]
    TenantAccess.objects.update(canary="other@sandbox.test")  # named by somebody else meanwhile
    tenants.switch_off_by_hand(on, actor=boss)
    assert (on.is_on, on.code, on.canary) == (False, "organisation_switched_off", "other@sandbox.test")
    for each in seen:
        each.canary = on.canary
    tenants.switch_on(seen[0], canary=on.canary, actor=boss)
    tenants.switch_on(seen[1], canary=on.canary)
    tenants.switch_off(seen[2], CanaryOpened(canary=on.canary))
    on.refresh_from_db()
    assert (on.is_on, on.code) == (False, "organisation_switched_off")


def test_what_somebody_switched_off_stays_off_until_somebody_switches_it_on(on: TenantAccess, boss: Any) -> None:
    tenants.switch_off_by_hand(on, actor=boss)
    assert (on.is_on, on.code, mail.outbox) == (False, "organisation_switched_off", [])
    yesterday(on)
    assert canary.check_due() == 0
    canary.check(on, actor=None)  # was queued before
    assert not on.is_on
    canary.check(on, actor=boss)
    assert on.is_on


def test_another_canary_named_meanwhile_is_not_taken_for_the_one_that_was_refused(
    on: TenantAccess, bird: SandboxUser
) -> None:
    stale = TenantAccess.objects.get(pk=on.pk)
    TenantAccess.objects.update(is_on=False, canary="another@sandbox.test", code="canary_opened")
    tenants.switch_on(stale, canary=bird.address)
    assert (stale.is_on, stale.canary) == (False, "another@sandbox.test")


def test_the_tick_queues_one_check(on: TenantAccess, monkeypatch: pytest.MonkeyPatch) -> None:
    queued: list[str] = []
    monkeypatch.setattr(canary, "enqueue", lambda job, *ids: queued.append(job.name))
    tasks.tick()
    assert queued == []
    yesterday(on)
    tasks.tick()
    tasks.tick()
    assert queued == ["CANARIES"]
