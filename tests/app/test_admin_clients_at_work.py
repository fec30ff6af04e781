"""App registrations in the admin: their state at a glance, verification, who may do what, and no network to look."""

from __future__ import annotations

import socket
from datetime import timedelta
from html import unescape
from typing import TYPE_CHECKING

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.core import mail
from django.utils import timezone

from mailaccounts.crypto import Key, Secret
from mailaccounts.errors import ClientSecretExpired
from mailaccounts.models import OAuthClient
from mailaccounts.services.registering import clients, registrations
from tests.app.admin_pages import ADD, FORM, LIST, page_of
from tests.app.builders import make_client, make_user

if TYPE_CHECKING:
    from django.http import HttpResponse
    from django.test import Client
    from pytest_django.fixtures import SettingsWrapper

    from mailaccounts.testing.sandbox import Sandbox
    from tests.sandbox_fixtures import SandboxMailbox

pytestmark = pytest.mark.django_db


def in_days(days: int) -> object:
    return timezone.localdate() + timedelta(days=days)


# --- at a glance -----------------------------------------------------------------------------------------------


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever looks a name up or connects fails; the database has its connection."""

    def refuse(*args: object, **options: object) -> None:
        raise AssertionError("a page that is only looked at went to the network")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)


def test_looking_at_the_pages_takes_no_network_and_shows_no_secret(
    boss: Client, local_hosts: None, no_network: None
) -> None:
    client = make_client(next_secret=Secret("n3xt-s3cret"), secret_expires_on=in_days(3))
    registrations.raise_alarm(client, ClientSecretExpired(provider="Microsoft"))
    for provider in ("google", "oidc", "gone"):
        make_client(provider=provider)
    addresses = [
        LIST,
        ADD,
        *(page_of(row, what) for row in OAuthClient.objects.all() for what in ("change", "history")),
    ]
    for address in addresses:
        response = boss.get(address)
        assert response.status_code == 200
        page = response.content.decode()
        assert not any(secret in page for secret in ("client-s3cret", "n3xt-s3cret", "v1."))


def test_an_alarm_is_said_in_the_list_and_on_the_page_with_what_helps(boss: Client, local_hosts: None) -> None:
    client = make_client()
    registrations.raise_alarm(client, ClientSecretExpired(provider="Microsoft"))
    for address in (LIST, page_of(client)):
        page = boss.get(address).content.decode()
        assert "The secret or certificate has expired." in page
    assert 'data-code="client_secret_expired"' in boss.get(page_of(client)).content.decode()


@pytest.mark.parametrize(
    ("days", "words", "look"),
    [(12, "expires in 12 days", "notice-warn"), (-2, "expired on", "notice-bad"), (40, "", "")],
)
def test_the_end_of_a_secret_is_said_30_days_ahead(
    boss: Client, local_hosts: None, days: int, words: str, look: str
) -> None:
    client = make_client(secret_expires_on=in_days(days))
    for address in (LIST, page_of(client)):
        page = boss.get(address).content.decode()
        assert ('class="notice' in page) == bool(words)
        assert words in page
        assert look in page


def test_the_page_has_what_the_console_wants(boss: Client, local_hosts: None) -> None:
    page = boss.get(page_of(make_client())).content.decode()
    assert '<code id="redirect-microsoft-0">http://testserver/oauth/microsoft/callback/</code>' in page
    assert "https://outlook.office.com/IMAP.AccessAsUser.All https://outlook.office.com/SMTP.Send" in page
    assert 'href="https://entra.microsoft.com"' in page
    assert "IMAP.AccessAsApp" not in page
    page = boss.get(page_of(make_client(app_only=True))).content.decode()
    assert "IMAP.AccessAsApp" in page


def test_scopes_of_its_own_are_the_ones_to_enter(boss: Client, local_hosts: None) -> None:
    client = make_client(provider="oidc", authority="https://localhost/realm", scopes="openid mail:imap")
    assert '<code id="scopes">openid mail:imap</code>' in boss.get(page_of(client)).content.decode()


def test_the_hosts_own_redirect_uri_is_wanted_too_where_it_signs_people_in(boss: Client, world: Sandbox) -> None:
    named = clients.registered("microsoft")
    page = boss.get(page_of(named)).content.decode()
    assert "Redirect URI for signing in" in page
    assert "http://testserver/accounts/oidc/microsoft/login/callback/" in page
    tried = [step.about for step in verify(boss, named).context["steps"] if step.about]  # type: ignore[attr-defined]  # a test's
    assert tried == [
        "http://localhost/oauth/microsoft/callback/",
        "http://localhost/accounts/oidc/microsoft/login/callback/",
    ]


@pytest.mark.parametrize(
    ("authority", "portal"),
    [
        ("https://login.microsoftonline.us/contoso.us", "https://portal.azure.us"),
        ("https://login.partner.microsoftonline.cn/contoso.cn", "https://portal.azure.cn"),
    ],
)
def test_a_national_cloud_has_a_console_of_its_own(
    boss: Client, local_hosts: None, authority: str, portal: str
) -> None:
    assert f'href="{portal}"' in boss.get(page_of(make_client(authority=authority))).content.decode()


def test_the_redirect_uris_are_known_before_there_is_a_registration(boss: Client, local_hosts: None) -> None:
    page = boss.get(ADD).content.decode()
    for provider in clients.PROVIDERS:
        assert f"http://testserver/oauth/{provider}/callback/" in page


def test_a_lost_key_does_not_keep_the_page_from_showing(
    boss: Client, local_hosts: None, settings: SettingsWrapper
) -> None:
    client = make_client()
    settings.MAILACCOUNTS = {**settings.MAILACCOUNTS, "SECRET_KEYS": [Key.generate()]}
    assert boss.get(page_of(client)).status_code == 200


# --- verification ----------------------------------------------------------------------------------------------


@pytest.fixture
def row(world: Sandbox, settings: SettingsWrapper) -> OAuthClient:
    """A registration that the sandbox knows, kept in the admin."""
    settings.MAILACCOUNTS = {**settings.MAILACCOUNTS, "CLIENTS": {}}
    ours = world.idp.registration
    return make_client(
        client_id=ours.client_id,
        client_secret=Secret(ours.client_secret),
        authority=ours.authority,
        tenant=ours.tenant,
    )


def steps(response: HttpResponse) -> list[tuple[str, str]]:
    return [(step.name, step.status) for step in response.context["steps"]]  # type: ignore[attr-defined]  # a test's


def verify(boss: Client, row: OAuthClient, **data: str) -> HttpResponse:
    """From the host whose redirect URI the sandbox knows."""
    return boss.post(page_of(row, "verify"), data, HTTP_HOST="localhost")


def test_each_step_is_shown_and_the_verification_noted(boss: Client, row: OAuthClient) -> None:
    response = verify(boss, row)
    names = ("discovery", "client_id", "secret", "redirect_uri")
    assert steps(response) == [(name, "ok") for name in names]
    page = response.content.decode()
    assert "It works" in page
    assert "http://localhost/oauth/microsoft/callback/" in page
    assert OAuthClient.objects.get().verified_at is not None
    assert [entry.get_change_message() for entry in LogEntry.objects.all()] == ["Verified: it works."]


def test_what_failed_is_shown_with_what_helps_and_raises_the_alarm_without_a_mail(
    boss: Client, row: OAuthClient, settings: SettingsWrapper
) -> None:
    settings.ADMINS = [("Olga", "olga@crm.test")]
    row.client_secret = Secret("wr0ng")
    row.save()
    page = unescape(verify(boss, row).content.decode())
    assert "It doesn't work yet" in page
    assert "the secret's value, not its id" in page
    assert "AADSTS" not in page
    assert "wr0ng" not in page
    assert OAuthClient.objects.get().alarm_code == "client_secret_refused"
    assert mail.outbox == []


def test_a_redirect_uri_of_another_host_is_found_out(
    boss: Client, row: OAuthClient, settings: SettingsWrapper
) -> None:
    response = boss.post(page_of(row, "verify"))  # at testserver, which nobody registered
    assert dict(steps(response))["redirect_uri"] == "failed"


def test_a_mailbox_to_try_is_asked_for_where_it_is_needed(
    boss: Client, world: Sandbox, anna: SandboxMailbox, settings: SettingsWrapper
) -> None:
    settings.MAILACCOUNTS = {**settings.MAILACCOUNTS, "CLIENTS": {}}
    ours = world.idp.service_account_registration
    row = make_client(
        provider="google", client_id=ours.client_id, client_secret=Secret(ours.client_secret), proof=ours.proof,
        authority=ours.authority, app_only=True,
    )  # fmt: skip
    assert 'name="mailbox"' in boss.get(page_of(row)).content.decode()
    assert dict(steps(verify(boss, row)))["app_only"] == "unknown"
    assert dict(steps(verify(boss, row, mailbox=anna.address)))["app_only"] == "ok"


def test_what_the_settings_name_can_be_verified_too(boss: Client, world: Sandbox) -> None:
    row = clients.registered("microsoft")
    assert "Verify step by step" in boss.get(page_of(row)).content.decode()
    assert dict(steps(verify(boss, row)))["secret"] == "ok"


def test_verification_is_no_tool_to_knock_on_doors_with(
    boss: Client, row: OAuthClient, settings: SettingsWrapper
) -> None:
    settings.MAILACCOUNTS = {**settings.MAILACCOUNTS, "CONNECTION_TESTS": 1}
    assert verify(boss, row).status_code == 200
    response = verify(boss, row)
    assert response.status_code == 302
    assert "too often" in boss.get(response["Location"]).content.decode()


@pytest.mark.parametrize("what", ["verify", "promote"])
def test_a_link_does_nothing(boss: Client, row: OAuthClient, what: str) -> None:
    assert boss.get(page_of(row, what)).status_code == 405


@pytest.mark.parametrize("what", ["verify", "promote"])
def test_another_site_can_not_press_the_buttons(row: OAuthClient, what: str) -> None:
    from django.test import Client

    user = make_user()
    user.is_staff = user.is_superuser = True
    user.save()
    careful = Client(enforce_csrf_checks=True)
    careful.force_login(user)
    assert careful.post(page_of(row, what)).status_code == 403


# --- the next secret -------------------------------------------------------------------------------------------


def test_the_next_secret_takes_over_at_the_press_of_a_button(boss: Client, local_hosts: None) -> None:
    row = make_client(next_secret=Secret("n3xt"))
    assert "take over now" in boss.get(page_of(row)).content.decode()
    response = boss.post(page_of(row, "promote"), follow=True)
    assert "The next secret took over" in response.content.decode()
    now = OAuthClient.objects.get()
    assert (now.client_secret.reveal_text(), now.next_secret) == ("n3xt", None)
    assert "There was no next secret" in boss.post(page_of(row, "promote"), follow=True).content.decode()


# --- who may ---------------------------------------------------------------------------------------------------


def staff_with(client: Client, *names: str) -> Client:
    user = make_user()
    user.is_staff = True
    user.save()
    user.user_permissions.set(Permission.objects.filter(codename__in=[f"{name}_oauthclient" for name in names]))
    client.force_login(user)
    return client


def test_staff_without_permission_sees_nothing(client: Client, local_hosts: None) -> None:
    row = make_client()
    staff = staff_with(client)
    for address in (LIST, ADD, page_of(row)):
        assert staff.get(address).status_code == 403
    for what in ("change", "verify", "promote", "delete"):
        assert staff.post(page_of(row, what), FORM).status_code == 403


def test_staff_that_may_look_does_no_more(client: Client, local_hosts: None) -> None:
    row = make_client(next_secret=Secret("n3xt"))
    staff = staff_with(client, "view")
    page = staff.get(page_of(row)).content.decode()
    assert row.client_id in page
    assert not any(text in page for text in ('name="secret"', "Verify step by step", "take over now", "client-s3cret"))
    for what in ("change", "verify", "promote"):
        assert staff.post(page_of(row, what), FORM).status_code == 403
    assert OAuthClient.objects.get().client_secret.reveal_text() == "client-s3cret"


def test_staff_that_may_change_needs_not_be_a_superuser(client: Client, local_hosts: None) -> None:
    staff = staff_with(client, "add", "change", "view")
    assert staff.post(ADD, FORM).status_code == 302


def test_a_user_of_the_crm_is_asked_to_sign_in_as_staff(client: Client, local_hosts: None) -> None:
    row = make_client()
    client.force_login(make_user())
    for what in ("change", "verify", "promote"):
        assert client.post(page_of(row, what)).status_code == 302
    assert OAuthClient.objects.get().verified_at is None


def test_what_is_not_there_is_not_found(boss: Client) -> None:
    gone = OAuthClient()
    for what in ("verify", "promote"):
        assert boss.post(page_of(gone, what)).status_code == 404
