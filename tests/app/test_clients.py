"""App registrations: from the settings into a row that grants can point to."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from mailaccounts.conf import load
from mailaccounts.conf import settings as mailaccounts_settings
from mailaccounts.crypto import Key
from mailaccounts.errors import (
    ClientMisconfigured,
    ClientMissing,
    HostNotAllowed,
    PortNotAllowed,
    ProviderNotAllowed,
)
from mailaccounts.models import OAuthClient
from mailaccounts.oauth.google import GoogleProvider
from mailaccounts.oauth.oidc import OidcProvider
from mailaccounts.oauth.types import ConsentRequest
from mailaccounts.services.registering import clients, registrations
from tests.app.builders import make_client

if TYPE_CHECKING:
    from pytest_django.fixtures import SettingsWrapper

    from mailaccounts.oauth.pinned import Resolve

pytestmark = pytest.mark.django_db

MICROSOFT = {
    "client_id": "the-client",
    "client_secret": "s3cret",
    "tenant": "common",
    "authority": "https://login.example.test",
}


def configure(settings: SettingsWrapper, **changes: str) -> None:
    settings.MAILACCOUNTS = {**settings.MAILACCOUNTS, "CLIENTS": {"microsoft": {**MICROSOFT, **changes}}}


def test_a_registration_gets_one_row(settings: SettingsWrapper) -> None:
    configure(settings)
    first, second = clients.registered("microsoft"), clients.registered("microsoft")
    assert first == second == OAuthClient.objects.get()
    assert first.authority == "https://login.example.test/common"
    assert first.client_secret.reveal_text() == "s3cret"


def test_a_replaced_secret_takes_over_and_has_yet_to_end_the_alarm_by_working(settings: SettingsWrapper) -> None:
    configure(settings)
    client = clients.registered("microsoft")
    registrations.raise_alarm(client, ClientMisconfigured(provider="Microsoft"))
    configure(settings, client_secret="n3w")
    assert clients.secret_in_force(client).reveal_text() == "n3w"
    after = clients.registered("microsoft")
    assert (after.pk, after.alarm_code) == (client.pk, "client_misconfigured")
    assert OAuthClient.objects.get().client_secret.reveal_text() == "n3w"


@pytest.mark.parametrize("changes", [{"client_id": "another"}, {"tenant": "another"}])
def test_another_registration_is_another_row_and_the_old_one_keeps_its_secret(
    settings: SettingsWrapper, changes: dict[str, str]
) -> None:
    configure(settings)
    old = clients.registered("microsoft")
    configure(settings, client_secret="n3w", **changes)
    assert clients.registered("microsoft") != old
    assert clients.secret_in_force(old).reveal_text() == "s3cret"


@pytest.mark.parametrize("missing", ["client_id", "client_secret", "authority"])
def test_half_a_registration_is_none(settings: SettingsWrapper, missing: str) -> None:
    configure(settings, **{missing: ""})
    assert not clients.is_registered("microsoft")
    with pytest.raises(ClientMissing):
        clients.registered("microsoft")


OIDC = {
    "name": "Example AG",
    "client_id": "the-client",
    "client_secret": "s3cret",
    "authority": "https://login.example.test/",
    "scopes": "openid mail:imap mail:smtp",
}


def configure_oidc(settings: SettingsWrapper, **changes: str) -> None:
    settings.MAILACCOUNTS = {**settings.MAILACCOUNTS, "CLIENTS": {"oidc": {**OIDC, **changes}}}


def test_a_provider_known_by_its_issuer_has_name_and_scopes_from_the_settings(settings: SettingsWrapper) -> None:
    configure_oidc(settings)
    client = clients.registered("oidc")
    provider = clients.provider_for(client)
    assert isinstance(provider, OidcProvider)
    assert (client.name, provider.label, clients.label("oidc")) == ("Example AG",) * 3
    assert [scope.name for scope in provider.scopes] == ["openid", "mail:imap", "mail:smtp"]
    assert client.authority == "https://login.example.test/"  # the issuer is kept to the letter


def test_what_the_settings_say_of_it_later_takes_over(settings: SettingsWrapper) -> None:
    configure_oidc(settings)
    client = clients.registered("oidc")
    configure_oidc(settings, name="", scopes="")
    assert clients.registered("oidc") == client
    client.refresh_from_db()
    assert (client.name, client.scopes) == ("OpenID Connect", "")


def test_scopes_an_administrator_set_stay_where_the_settings_say_nothing_of_them(settings: SettingsWrapper) -> None:
    configure(settings)
    client = clients.registered("microsoft")
    OAuthClient.objects.update(scopes="https://webmail.apps.mil/IMAP.AccessAsUser.All", name="Ours")
    assert clients.registered("microsoft").name == "Ours"
    assert len(clients.provider_for(clients.registered("microsoft")).scopes) == 1
    assert clients.registered("microsoft") == client


def test_google_is_registered_with_an_id_and_a_secret(settings: SettingsWrapper) -> None:
    google = {"client_id": "c", "client_secret": "s3cret", "authority": "https://accounts.google.com"}
    settings.MAILACCOUNTS = {**settings.MAILACCOUNTS, "CLIENTS": {"google": google}}
    (client,) = clients.offered()
    assert isinstance(clients.provider_for(client), GoogleProvider)
    assert client.authority == "https://accounts.google.com"


def test_nobody_is_sent_to_sign_in_with_a_service_account() -> None:
    make_client(provider="google", proof="service_account")
    with_secret = make_client(provider="google")
    assert clients.offered() == [with_secret]


# --- where a provider may be -----------------------------------------------------------------------------------


def policy(settings: SettingsWrapper, address: str, **changes: object) -> Resolve:
    """The policy for a provider whose name stands for ``address``."""
    settings.MAILACCOUNTS = {**settings.MAILACCOUNTS, **changes}
    network = replace(mailaccounts_settings.network, lookup=lambda host, port, **_: [(2, 1, 6, "", (address, port))])
    load().__dict__["network"] = network
    return clients._host_policy(OAuthClient(provider="oidc", authority="https://login.example.test:8443/realms/crm"))


def test_a_provider_may_be_anywhere_in_public(settings: SettingsWrapper) -> None:
    resolve = policy(settings, "8.8.8.8")
    for port in (443, 8443):  # the usual one, and the one an administrator wrote
        assert resolve("login.example.test", port, deadline=time.monotonic() + 5)


@pytest.mark.parametrize("port", [80, 993, 22, 9443])
def test_and_at_no_other_port(settings: SettingsWrapper, port: int) -> None:
    with pytest.raises(PortNotAllowed):
        policy(settings, "8.8.8.8")("login.example.test", port, deadline=time.monotonic() + 5)


@pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.7", "169.254.169.254", "192.168.1.1"])
def test_a_private_network_has_to_be_allowed(settings: SettingsWrapper, address: str) -> None:
    with pytest.raises(HostNotAllowed):
        policy(settings, address)("login.example.test", 443, deadline=time.monotonic() + 5)
    resolve = policy(settings, address, ALLOW_PRIVATE_HOSTS=[address])
    assert resolve("login.example.test", 9443, deadline=time.monotonic() + 5)


def test_the_policy_is_what_the_provider_connects_by(settings: SettingsWrapper) -> None:
    """The whole way: nothing is sent to an issuer in a network that isn't allowed, and the operator learns why."""
    configure_oidc(settings, authority="https://127.0.0.1:8443")
    provider = clients.provider_for(clients.registered("oidc"))
    with pytest.raises(ProviderNotAllowed):
        provider.begin(ConsentRequest(redirect_uri="https://crm.test/", scopes=()))


def test_a_lost_key_does_not_keep_anybody_from_consenting(settings: SettingsWrapper) -> None:
    configure(settings)
    clients.registered("microsoft")
    settings.MAILACCOUNTS = {**settings.MAILACCOUNTS, "SECRET_KEYS": [Key.generate()]}
    assert clients.registered("microsoft").client_secret.reveal_text() == "s3cret"


def test_a_provider_we_do_not_know_is_not_registered(settings: SettingsWrapper) -> None:
    settings.MAILACCOUNTS = {**settings.MAILACCOUNTS, "CLIENTS": {"unheard_of": MICROSOFT}}
    with pytest.raises(ClientMissing, match="unheard_of"):
        clients.registered("unheard_of")
    with pytest.raises(ClientMissing):
        clients.provider_for(OAuthClient(provider="unheard_of"))
