"""An administrator lets us into an organisation: bound to the one they signed in to, proven by a token, once."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest

from mailaccounts.errors import (
    AppOnlyOff,
    ClientSecretExpired,
    ConsentDeclined,
    ConsentExpired,
    DelegationMissing,
    IdTokenInvalid,
    MailAccountsError,
    NoOrganisation,
    OtherOrganisation,
    ProviderUnavailable,
    RolesMissing,
    UserUnknownAtProvider,
)
from mailaccounts.models import AuditEntry, ConsentAttempt, Grant, OAuthClient, TenantAccess
from mailaccounts.oauth.clouds import PERSONAL
from mailaccounts.services.consents import admin_consent, consent
from tests.app.builders import make_user
from tests.app.organisations import ADMIN_CONSENT_URI, let_in, registered
from tests.sandbox_fixtures import new_user

if TYPE_CHECKING:
    from mailaccounts.testing.sandbox import Sandbox, SandboxUser
    from tests.sandbox_fixtures import SandboxMailbox

pytestmark = pytest.mark.django_db(transaction=True)

ANOTHER = "11111111-1111-4111-8111-111111111111"


@pytest.fixture
def boss() -> Any:
    """Who runs the CRM."""
    return make_user("boss")


@pytest.fixture
def client(world: Sandbox) -> OAuthClient:
    return registered(world.idp, authority=f"{world.idp.authority}/organizations", tenant="organizations")


@pytest.fixture
def administrator(world: Sandbox) -> SandboxUser:
    """Who runs the organisation."""
    return world.add_user(replace(new_user(), is_admin=True))


def sign_in(client: OAuthClient, boss: Any, world: Sandbox, who: SandboxUser) -> dict[str, str]:
    """The administrator's answer to the first question: who they are."""
    url = admin_consent.begin(client, user=boss, redirect_uri=ADMIN_CONSENT_URI)
    return world.idp.person(who).consent(url)


def leave_for_consent(client: OAuthClient, boss: Any, world: Sandbox, who: SandboxUser) -> str:
    params = sign_in(client, boss, world, who)
    url = admin_consent.answer(params, provider="microsoft", user=boss)
    assert isinstance(url, str)
    return url


def answered(params: dict[str, str], boss: Any) -> TenantAccess:
    access = admin_consent.answer(params, provider="microsoft", user=boss)
    assert isinstance(access, TenantAccess)
    return access


def nothing_came_of_it() -> bool:
    return not (TenantAccess.objects.exists() or Grant.objects.exists() or ConsentAttempt.objects.exists())


def test_an_administrator_lets_us_in(
    client: OAuthClient, boss: Any, world: Sandbox, administrator: SandboxUser
) -> None:
    world.idp.faults.withdraw_admin_consent()
    url = leave_for_consent(client, boss, world, administrator)
    asked = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
    assert urlsplit(url).path == f"/{world.idp.tenant}/v2.0/adminconsent"
    assert asked["scope"].endswith("/.default")

    access = answered(world.idp.person(administrator).consent(url), boss)

    assert (access.client, access.tenant, access.consented_by) == (client, world.idp.tenant, administrator.address)
    assert access.roles.split() == ["IMAP.AccessAsApp", "POP.AccessAsApp", "SMTP.SendAsApp"]
    assert access.consented_at and access.proven_at
    assert (access.is_on, access.code) == (False, "canary_missing")
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.actor, entry.facts["by"]) == ("tenant_changed", boss, administrator.address)
    assert not Grant.objects.exists()  # what the sign-in granted was never wanted
    assert not ConsentAttempt.objects.exists()


def test_without_leave_to_send_mailboxes_are_read_only(
    client: OAuthClient, boss: Any, world: Sandbox, administrator: SandboxUser
) -> None:
    world.idp.faults.withhold_scopes("SMTP.SendAsApp")
    url = leave_for_consent(client, boss, world, administrator)
    access = answered(world.idp.person(administrator).consent(url), boss)
    assert "SMTP.SendAsApp" not in access.roles


def test_a_consent_that_is_declined_changes_nothing(
    client: OAuthClient, boss: Any, world: Sandbox, administrator: SandboxUser
) -> None:
    url = leave_for_consent(client, boss, world, administrator)
    with pytest.raises(ConsentDeclined):
        answered(world.idp.person(administrator).decline(url), boss)
    assert nothing_came_of_it()
    assert AuditEntry.objects.get().facts["code"] == "consent_declined"


def test_a_sign_in_that_is_cancelled_changes_nothing(
    client: OAuthClient, boss: Any, world: Sandbox, administrator: SandboxUser
) -> None:
    url = admin_consent.begin(client, user=boss, redirect_uri=ADMIN_CONSENT_URI)
    with pytest.raises(ConsentDeclined):
        admin_consent.answer(world.idp.person(administrator).cancel(url), provider="microsoft", user=boss)
    assert nothing_came_of_it()


def test_the_tenant_in_the_answer_is_a_claim_and_no_proof(
    client: OAuthClient, boss: Any, world: Sandbox, administrator: SandboxUser
) -> None:
    """Another organisation's administrator consents, and somebody writes the answer into this browser."""
    url = leave_for_consent(client, boss, world, administrator)
    params = world.idp.person(administrator).consent(url)
    with pytest.raises(OtherOrganisation):
        answered({**params, "tenant": ANOTHER}, boss)
    assert nothing_came_of_it()


def test_an_organisation_is_only_touched_by_its_own_administrator(
    client: OAuthClient, boss: Any, world: Sandbox, administrator: SandboxUser
) -> None:
    """The sign-in says which directory: whoever consents for another leaves this one's access as it is."""
    access = let_in(client, world.idp)
    world.idp.faults.falsify_id_tokens(tid=ANOTHER)
    with pytest.raises(IdTokenInvalid):  # the issuer of the token is this tenant's, and says another's
        admin_consent.answer(sign_in(client, boss, world, administrator), provider="microsoft", user=boss)
    url = leave_for_consent_again(client, boss, world, administrator)
    params = world.idp.person(administrator).consent(url)
    with pytest.raises(OtherOrganisation):
        answered({**params, "tenant": ANOTHER}, boss)
    before = (access.consented_by, access.proven_at, access.is_on)
    access.refresh_from_db()
    assert (access.consented_by, access.proven_at, access.is_on) == before
    assert TenantAccess.objects.count() == 1


def leave_for_consent_again(client: OAuthClient, boss: Any, world: Sandbox, who: SandboxUser) -> str:
    world.idp.faults.reset()
    return leave_for_consent(client, boss, world, who)


def test_a_personal_account_has_no_organisation(
    client: OAuthClient, boss: Any, world: Sandbox, administrator: SandboxUser
) -> None:
    base = world.idp.authority
    world.idp.faults.falsify_id_tokens(tid=PERSONAL, iss=f"{base}/{PERSONAL}/v2.0")
    with pytest.raises(NoOrganisation, match=administrator.address):
        admin_consent.answer(sign_in(client, boss, world, administrator), provider="microsoft", user=boss)
    assert nothing_came_of_it()


def test_a_token_without_the_role_lets_nobody_in(
    client: OAuthClient, boss: Any, world: Sandbox, administrator: SandboxUser
) -> None:
    """Entra issues tokens to every application: that there is one proves nothing."""
    world.idp.faults.withhold_scopes("IMAP.AccessAsApp")
    url = leave_for_consent(client, boss, world, administrator)
    with pytest.raises(RolesMissing, match=r"IMAP\.AccessAsApp"):
        answered(world.idp.person(administrator).consent(url), boss)
    assert nothing_came_of_it()


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ({"error": "invalid_client", "code": 7000222, "status": 401}, ClientSecretExpired),
        ({"error": "temporarily_unavailable", "code": 90033, "times": -1}, ProviderUnavailable),
    ],
)
def test_without_a_token_nobody_is_let_in(
    client: OAuthClient,
    boss: Any,
    world: Sandbox,
    administrator: SandboxUser,
    fault: dict[str, Any],
    expected: type[MailAccountsError],
) -> None:
    url = leave_for_consent(client, boss, world, administrator)
    params = world.idp.person(administrator).consent(url)
    world.idp.faults.refuse(**fault)
    with pytest.raises(expected):
        answered(params, boss)
    assert nothing_came_of_it()


def test_an_answer_counts_once_and_for_who_began_it(
    client: OAuthClient, boss: Any, world: Sandbox, administrator: SandboxUser
) -> None:
    url = leave_for_consent(client, boss, world, administrator)
    params = world.idp.person(administrator).consent(url)
    with pytest.raises(ConsentExpired):
        answered(params, make_user("somebody-else"))
    with pytest.raises(ConsentExpired):
        admin_consent.answer(params, provider="google", user=boss)
    assert answered(params, boss)
    with pytest.raises(ConsentExpired):
        answered(params, boss)


def test_an_attempt_for_one_thing_is_no_answer_to_another(
    client: OAuthClient, boss: Any, world: Sandbox, administrator: SandboxUser
) -> None:
    params = sign_in(client, boss, world, administrator)
    with pytest.raises(ConsentExpired):
        consent.complete("microsoft", params, user=boss)
    assert isinstance(admin_consent.answer(params, provider="microsoft", user=boss), str)


@pytest.mark.parametrize("columns", [{"app_only": False}, {"is_active": False}, {"kind": "google"}])
def test_nobody_is_asked_unless_the_registration_allows_it(world: Sandbox, boss: Any, columns: dict[str, Any]) -> None:
    kind = columns.pop("kind", "microsoft")
    with pytest.raises(AppOnlyOff):
        admin_consent.begin(registered(world.idp, kind, **columns), user=boss, redirect_uri=ADMIN_CONSENT_URI)
    assert not ConsentAttempt.objects.exists()


def test_consenting_again_keeps_an_access_that_works(
    client: OAuthClient, boss: Any, world: Sandbox, administrator: SandboxUser
) -> None:
    bird = world.add_user(replace(new_user(), closed_to_apps=True))
    access = let_in(client, world.idp, roles="IMAP.AccessAsApp", canary=bird.address)
    url = leave_for_consent(client, boss, world, administrator)
    again = answered(world.idp.person(administrator).consent(url), boss)
    assert (again.pk, again.is_on, again.canary) == (access.pk, True, access.canary)
    assert "SMTP.SendAsApp" in again.roles


def test_consenting_again_ends_what_a_withdrawn_consent_had_switched_off(
    client: OAuthClient, boss: Any, world: Sandbox, administrator: SandboxUser
) -> None:
    bird = world.add_user(replace(new_user(), closed_to_apps=True))
    world.idp.faults.withdraw_admin_consent()
    access = let_in(client, world.idp, is_on=False, code="roles_missing", canary=bird.address)
    url = leave_for_consent(client, boss, world, administrator)
    again = answered(world.idp.person(administrator).consent(url), boss)
    assert (again.pk, again.is_on, again.code) == (access.pk, True, "")


# --- Google ----------------------------------------------------------------------------------------------------


def test_a_workspace_lets_us_in_by_its_console(anna: SandboxMailbox, boss: Any) -> None:
    client = registered(anna.sandbox.idp, "google")
    access = admin_consent.delegated(client, mailbox=f" {anna.address} ", user=boss)
    assert (access.tenant, access.roles, access.is_on) == ("sandbox.test", "https://mail.google.com/", False)


def test_a_workspace_that_delegated_nothing_lets_nobody_in(anna: SandboxMailbox, boss: Any) -> None:
    client = registered(anna.sandbox.idp, "google")
    anna.sandbox.idp.faults.withdraw_delegation()
    with pytest.raises(DelegationMissing):
        admin_consent.delegated(client, mailbox=anna.address, user=boss)
    anna.sandbox.idp.faults.reset()
    with pytest.raises(UserUnknownAtProvider):
        admin_consent.delegated(client, mailbox="nobody@sandbox.test", user=boss)
    assert nothing_came_of_it()
