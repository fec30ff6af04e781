"""The address comes first; then the page shows how the mailbox can be signed in with, the best way first."""

from __future__ import annotations

import re
from html import unescape
from typing import TYPE_CHECKING

import pytest

from mailaccounts.models import AccountStatus, MailAccount
from tests.app.builders import make_account, make_credential, make_user
from tests.app.pages import connect_data, problem

if TYPE_CHECKING:
    from django.http import HttpResponse
    from django.test import Client
    from pytest_django.fixtures import SettingsWrapper

    from tests.domains import DnsServer
    from tests.sandbox_fixtures import SandboxMailbox

pytestmark = pytest.mark.django_db
CONNECT = "/settings/email-accounts/connect/"
APP_PASSWORD = f"{CONNECT}?with=app_password"
REGISTRATION = {"client_id": "a", "client_secret": "b", "tenant": "t", "authority": "https://login.example.test"}


@pytest.fixture
def signed_in(client: Client) -> Client:
    client.force_login(make_user("anna"))
    return client


@pytest.fixture
def registered(settings: SettingsWrapper) -> None:
    """An app registration with Microsoft, at an address where nobody answers: a page that asks there takes forever."""
    settings.MAILACCOUNTS = {**settings.MAILACCOUNTS, "CLIENTS": {"microsoft": REGISTRATION}}


def words(response: HttpResponse) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", response.content.decode())).split())


def others(response: HttpResponse) -> list[str]:
    """The ways that are offered beside the one the page is about."""
    nav = re.search(r'<nav class="ways".*?</nav>', response.content.decode(), re.S)
    return re.findall(r">([\w ]+)</(?:button|a)>", nav[0]) if nav else []


def test_the_first_step_asks_for_the_address_alone(signed_in: Client) -> None:
    page = signed_in.get(CONNECT).content.decode()
    assert 'name="address"' in page
    assert 'type="password"' not in page
    assert '<details class="options">' in page
    assert "open>" not in page


def test_the_address_may_come_with_the_link(signed_in: Client) -> None:
    assert 'value="me@example.test"' in signed_in.get(f"{CONNECT}?address=me@example.test").content.decode()


@pytest.mark.usefixtures("registered")
def test_where_the_provider_takes_a_consent_that_is_one_click_away(signed_in: Client) -> None:
    page = signed_in.post(CONNECT, {"address": "me@outlook.com"})
    assert "Found by your address: Outlook.com." in words(page)
    assert "Continue to Microsoft" in words(page)
    assert 'type="password"' not in page.content.decode()
    for scope in ("IMAP.AccessAsUser.All", "Read your mail,", "SMTP.Send", "Not asked for if you only read."):
        assert scope in words(page)
    assert others(page) == ["Password", "App password"]


@pytest.mark.usefixtures("registered", "world")
def test_a_customers_domain_is_told_by_its_mx_and_needs_one_click_too(
    signed_in: Client, dns_server: DnsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dns.resolver.default_resolver", dns_server.resolver)
    dns_server.records["corp.test", "MX"] = ["0 corp-test.mail.protection.outlook.com."]
    page = signed_in.post(CONNECT, {"address": "me@corp.test"})
    assert "Found by your domain's MX records: Microsoft 365." in words(page)
    assert "Continue to Microsoft" in words(page)


def test_an_installation_without_a_registration_says_so_kindly(signed_in: Client) -> None:
    page = signed_in.post(CONNECT, {"address": "me@outlook.com"})
    assert (
        "Outlook.com is best connected by signing in at Microsoft, which this installation isn't registered for yet. "
        "Whoever runs it can add an app registration" in words(page)
    )
    assert 'type="password"' not in page.content.decode()
    assert others(page) == ["Password", "App password"]


def test_without_a_registration_the_next_best_way_comes_first(signed_in: Client) -> None:
    page = signed_in.post(CONNECT, {"address": "me@gmail.com"})
    assert "Google is best connected by signing in at" in words(page)
    assert 'name="app_password"' in page.content.decode()
    assert 'href="https://myaccount.google.com/apppasswords"' in page.content.decode()
    assert 'href="https://support.google.com/mail/answer/7126229"' in page.content.decode()


def test_a_provider_that_takes_passwords_is_asked_for_one(signed_in: Client) -> None:
    page = signed_in.post(CONNECT, {"address": "me@posteo.de"})
    assert 'name="password"' in page.content.decode()
    assert others(page) == ["App password"]


@pytest.mark.parametrize(
    ("address", "way", "note"),
    [
        ("me@outlook.com", "password", "Outlook.com ended passwords on 16 September 2024."),
        ("me@outlook.com", "app_password", "Outlook.com ended app passwords on 16 September 2024."),
        ("me@gmail.com", "password", "Google ended passwords on 1 May 2025."),
        ("me@yahoo.com", "password", "Yahoo takes an app password, not that of your account."),
        ("me@posteo.de", "app_password", "Posteo takes a password."),
    ],
)
def test_what_a_provider_does_not_take_any_more_is_said(signed_in: Client, address: str, way: str, note: str) -> None:
    assert note in words(signed_in.post(f"{CONNECT}?with={way}", {"address": address}))


def test_an_end_that_is_still_to_come_is_said_too(signed_in: Client) -> None:
    data = {"address": "me@corp.test", "imap_host": "outlook.office365.com"}
    page = words(signed_in.post(f"{CONNECT}?with=password", data))
    assert "Microsoft 365 ended passwords for reading on 31 December 2022." in page
    assert re.search(r"Microsoft 365 end(s|ed) passwords for sending on 31 December 2026\.", page)


def test_going_another_way_keeps_what_was_typed(signed_in: Client) -> None:
    page = signed_in.post(APP_PASSWORD, {"address": "me@posteo.de", "since": "2026-01-02", "password": "the-s3cret"})
    assert 'value="me@posteo.de"' in page.content.decode()
    assert 'value="2026-01-02"' in page.content.decode()
    assert "the-s3cret" not in page.content.decode()
    assert "This field is required." not in page.content.decode()


def test_servers_typed_by_hand_are_a_mailbox_of_nobody_we_know(signed_in: Client) -> None:
    page = signed_in.post(CONNECT, {"address": "me@nowhere.example", "imap_host": "mail.nowhere.example"})
    assert 'name="password"' in page.content.decode()
    assert others(page) == ["App password"]


def test_who_fills_in_everything_needs_one_step(signed_in: Client) -> None:
    page = signed_in.get(f"{CONNECT}?with=password").content.decode()
    assert 'name="address"' in page
    assert 'name="password"' in page
    assert '<a class="btn btn-link" href="?with=app_password">App password</a>' in page


@pytest.mark.usefixtures("world")
def test_a_mailbox_is_connected_with_an_app_password(signed_in: Client, mailbox: SandboxMailbox) -> None:
    data = connect_data(mailbox)
    data["app_password"] = f" {data.pop('password')[:4]} {mailbox.password[4:]}"
    signed_in.post(APP_PASSWORD, data)
    credential = MailAccount.objects.get().credentials.get()
    assert (credential.backend, credential.secret.reveal_text()) == ("app_password", mailbox.password)


def test_too_short_an_app_password_is_explained_beside_its_field(signed_in: Client) -> None:
    page = signed_in.post(APP_PASSWORD, {"address": "me@gmail.com", "app_password": "sh0rt"}).content.decode()
    assert "This is too short for an app password." in page
    assert "sh0rt" not in page


def test_what_is_connected_already_is_told_at_the_first_step(client: Client) -> None:
    account = make_account(address="me@posteo.de")
    client.force_login(account.owner)
    page = client.post(CONNECT, {"address": "ME@posteo.de"})
    assert problem(page)[0] == "already_connected"
    assert f'href="/settings/email-accounts/{account.pk}/">Open me@posteo.de</a>' in page.content.decode()


def test_what_was_disconnected_is_reconnected_instead(client: Client) -> None:
    account = make_account(address="me@posteo.de", status=AccountStatus.DISCONNECTED)
    client.force_login(account.owner)
    page = client.post(CONNECT, {"address": "ME@posteo.de"}, follow=True)
    assert page.redirect_chain == [(f"/settings/email-accounts/{account.pk}/reconnect/", 302)]
    assert "me@posteo.de was connected before, and its history is still here." in words(page)


def test_reconnecting_asks_for_what_the_account_signs_in_with(client: Client) -> None:
    account = make_account(make_user("anna"))
    make_credential(account, backend="app_password")
    client.force_login(account.owner)
    reconnect = f"/settings/email-accounts/{account.pk}/reconnect/"
    assert 'name="app_password"' in client.get(reconnect).content.decode()
    assert 'name="password"' in client.get(f"{reconnect}?with=password").content.decode()
    assert client.get(f"{reconnect}?with=xoauth2").status_code == 404


def test_a_way_that_there_is_not_is_not_found(signed_in: Client) -> None:
    assert signed_in.get(f"{CONNECT}?with=unheard-of").status_code == 404


def test_where_there_is_one_way_nothing_is_offered(signed_in: Client, settings: SettingsWrapper) -> None:
    one = ["mailaccounts.backends.password.PasswordBackend"]
    settings.MAILACCOUNTS = {**settings.MAILACCOUNTS, "BACKENDS": one}
    page = signed_in.post(CONNECT, {"address": "me@posteo.de"})
    assert 'name="password"' in page.content.decode()
    assert others(page) == []
