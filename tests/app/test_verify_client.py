"""An app registration tried step by step at Entra, Google and a plain OpenID Connect provider."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import pytest

from mailaccounts.crypto import Secret
from mailaccounts.errors import ClientSecretExpired
from mailaccounts.services.registering import registrations
from mailaccounts.services.registering.verify_client import verify
from mailaccounts.testing.sandbox.switches import FOREVER
from tests.app.builders import make_client

if TYPE_CHECKING:
    from pytest_django.fixtures import SettingsWrapper

    from mailaccounts.models import OAuthClient
    from mailaccounts.oauth.types import ClientRegistration
    from mailaccounts.testing.sandbox import Sandbox
    from tests.sandbox_fixtures import SandboxMailbox

pytestmark = pytest.mark.django_db

PROVIDERS = ("microsoft", "google", "oidc")
EXPIRED = ClientSecretExpired(provider="Microsoft")


@pytest.fixture(autouse=True)
def _no_settings(world: Sandbox, settings: SettingsWrapper) -> None:
    """The registrations are an administrator's."""
    settings.MAILACCOUNTS = {**settings.MAILACCOUNTS, "CLIENTS": {}}


def row(provider: str, registration: ClientRegistration, **columns: object) -> OAuthClient:
    """The row of a registration that the sandbox knows, with changes."""
    return make_client(
        **{
            "provider": provider,
            "client_id": registration.client_id,
            "client_secret": Secret(registration.client_secret),
            "authority": registration.authority,
            "tenant": registration.tenant,
            "proof": registration.proof,
            **columns,
        }
    )


def redirect_uri(provider: str) -> str:
    return f"http://localhost/oauth/{provider}/callback/"


def tried(client: OAuthClient, *, uri: str = "", mailbox: str = "") -> dict[str, str]:
    """What came of each step: "ok", "unknown", or the code of its error."""
    steps = verify(client, redirect_uris=[uri or redirect_uri(client.provider)], mailbox=mailbox)
    return {step.name.value: step.error.code if step.error else step.status for step in steps}


ALL_WELL = {"discovery": "ok", "client_id": "ok", "secret": "ok", "redirect_uri": "ok"}


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_registration_that_works_passes_every_step_and_ends_its_alarm(world: Sandbox, provider: str) -> None:
    client = row(provider, world.idp.registrations[provider])
    registrations.raise_alarm(client, EXPIRED)
    client.refresh_from_db()
    assert tried(client) == ALL_WELL
    assert client.verified_at is not None
    assert (client.alarm_code, client.alarm_at) == ("", None)


@pytest.mark.parametrize(
    ("provider", "code"),
    [("microsoft", "client_secret_refused"), ("google", "client_refused"), ("oidc", "client_refused")],
)
def test_a_wrong_secret_is_told_from_a_wrong_client_id(world: Sandbox, provider: str, code: str) -> None:
    client = row(provider, world.idp.registrations[provider], client_secret=Secret("wrong"))
    assert tried(client) == {**ALL_WELL, "secret": code}
    assert (client.alarm_code, client.verified_at) == (code, None)


@pytest.mark.parametrize(
    ("provider", "expected"),
    [
        ("microsoft", {"client_id": "client_unknown", "secret": "unknown", "redirect_uri": "unknown"}),
        ("google", {"client_id": "unknown", "secret": "client_refused", "redirect_uri": "client_refused"}),
        ("oidc", {"client_id": "ok", "secret": "client_refused", "redirect_uri": "redirect_uri_unknown"}),
    ],
)
def test_a_wrong_client_id_is_named_where_the_provider_names_it(
    world: Sandbox, provider: str, expected: dict[str, str]
) -> None:
    client = row(provider, world.idp.registrations[provider], client_id="mistyped")
    assert tried(client) == {"discovery": "ok", **expected}


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_redirect_uri_that_is_not_registered_is_found_out(world: Sandbox, provider: str) -> None:
    client = row(provider, world.idp.registrations[provider])
    found = tried(client, uri="https://crm.example.test/oauth/callback/")
    assert found == {**ALL_WELL, "redirect_uri": "redirect_uri_unknown"}
    assert client.alarm_code == "redirect_uri_unknown"


def test_each_redirect_uri_is_tried(world: Sandbox) -> None:
    uris = [redirect_uri("google"), "http://localhost/accounts/oidc/google/login/callback/", "http://localhost/no/"]
    *_, first, second, third = verify(row("google", world.idp.registrations["google"]), redirect_uris=uris)
    assert [step.about for step in (first, second, third)] == uris
    assert [step.status for step in (first, second, third)] == ["ok", "ok", "failed"]


def test_an_expired_secret_is_told_from_a_wrong_one(world: Sandbox) -> None:
    world.idp.faults.refuse("invalid_client", code=7000222, status=401, times=FOREVER)
    assert tried(row("microsoft", world.idp.registration)) == {**ALL_WELL, "secret": "client_secret_expired"}


@pytest.mark.parametrize(
    ("provider", "authority", "code"),
    [
        ("microsoft", "{idp}/no-such-tenant", "authority_unknown"),
        ("google", "{idp}/no-such-tenant", "authority_unknown"),
        ("oidc", "{idp}/oidc/", "issuer_mismatch"),
        ("oidc", "https://localhost:1/oidc", "provider_unavailable"),
        ("oidc", "https://10.1.2.3/oidc", "provider_not_allowed"),
    ],
)
def test_without_a_provider_nothing_else_is_tried(world: Sandbox, provider: str, authority: str, code: str) -> None:
    client = row(
        provider, world.idp.registrations[provider], authority=authority.format(idp=world.idp.authority), tenant=""
    )
    not_tried = dict.fromkeys(("client_id", "secret", "redirect_uri"), "unknown")
    assert tried(client) == {"discovery": code, **not_tried}


def test_an_outage_raises_no_alarm(world: Sandbox) -> None:
    client = row("microsoft", world.idp.registration)
    world.idp.faults.fail(status=503, times=FOREVER)
    assert tried(client)["secret"] == "provider_unavailable"
    assert (client.alarm_code, client.verified_at) == ("", None)


def test_a_shared_tenant_does_not_tell_whether_the_secret_is_right(world: Sandbox) -> None:
    client = row("microsoft", world.idp.registration, authority=f"{world.idp.authority}/common", tenant="common")
    registrations.raise_alarm(client, EXPIRED)
    client.refresh_from_db()
    assert tried(client) == {**ALL_WELL, "secret": "unknown"}
    assert (client.verified_at is not None, client.alarm_code) == (True, "client_secret_expired")


def test_a_shared_tenant_tells_of_a_wrong_secret(world: Sandbox) -> None:
    client = row("microsoft", world.idp.registration, authority=f"{world.idp.authority}/common", tenant="common",
                 client_secret=Secret("wrong"))  # fmt: skip
    assert tried(client) == {**ALL_WELL, "secret": "client_secret_refused"}


def test_a_certificate_is_proven_like_a_secret(world: Sandbox) -> None:
    assert tried(row("microsoft", world.idp.certificate_registration)) == ALL_WELL


def test_a_next_secret_is_tried_too_and_is_not_put_to_use(world: Sandbox) -> None:
    client = row("microsoft", world.idp.registration, next_secret=Secret("mistyped"))
    assert tried(client) == {**ALL_WELL, "next_secret": "client_secret_refused"}
    assert (client.alarm_code, client.verified_at) == ("", None)
    client.next_secret = Secret(world.idp.client_secret)
    client.client_secret = Secret("over")
    client.save()
    assert tried(client) == {**ALL_WELL, "secret": "client_secret_refused", "next_secret": "ok"}
    assert client.client_secret.reveal_text() == "over"


# --- access without users --------------------------------------------------------------------------------------


def test_the_roles_of_our_own_token_are_named(world: Sandbox) -> None:
    client = row("microsoft", world.idp.registration, app_only=True)
    *_, last = verify(client, redirect_uris=[redirect_uri("microsoft")])
    assert (last.name.value, last.status) == ("app_only", "ok")
    assert last.found == "IMAP.AccessAsApp, POP.AccessAsApp, SMTP.SendAsApp"


def test_a_token_without_the_role_to_read_proves_nothing(world: Sandbox) -> None:
    world.idp.faults.withhold_scopes("IMAP.AccessAsApp")
    client = row("microsoft", world.idp.registration, app_only=True)
    assert tried(client) == {**ALL_WELL, "app_only": "app_roles_missing"}
    assert (client.alarm_code, client.verified_at) == ("", None)


def test_a_shared_tenant_has_no_access_without_users(world: Sandbox) -> None:
    client = row("microsoft", world.idp.registration, authority=f"{world.idp.authority}/common", tenant="common",
                 app_only=True)  # fmt: skip
    assert tried(client)["app_only"] == "unknown"


def test_a_service_account_is_proven_by_its_key_and_by_a_mailbox(world: Sandbox, anna: SandboxMailbox) -> None:
    client = row("google", world.idp.service_account_registration, app_only=True)
    well = {"discovery": "ok", "client_id": "ok", "secret": "ok"}
    assert tried(client) == {**well, "app_only": "unknown"}
    assert tried(client, mailbox=anna.address) == {**well, "app_only": "ok"}
    assert tried(client, mailbox="nobody@sandbox.test")["app_only"] == "user_unknown"


def test_a_key_of_another_service_account_is_refused(world: Sandbox) -> None:
    other = world.idp.service_account_registration.client_secret.replace("crm@", "other@")
    registration = dataclasses.replace(world.idp.service_account_registration, client_secret=other)
    found = tried(row("google", registration, app_only=True))
    assert (found["discovery"], found["secret"]) == ("ok", "client_secret_refused")


def test_nothing_of_a_server_is_in_what_is_said(world: Sandbox) -> None:
    client = row("microsoft", world.idp.registration, client_secret=Secret("wr0ng"))
    for step in verify(client, redirect_uris=[redirect_uri("microsoft")]):
        said = f"{step} {step.error} {step.error.diagnosis if isinstance(step.error, ClientSecretExpired) else ''}"
        assert "AADSTS" not in said
        assert "wr0ng" not in said
