"""A domain of one's own: what was found is shown before a password goes there."""

from __future__ import annotations

import io
import re
from html import unescape
from typing import TYPE_CHECKING

import dns.resolver
import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from mailaccounts.models import MailAccount
from mailaccounts.services.consents import consent
from tests.app.builders import make_account, make_user
from tests.app.pages import problem, server_data

if TYPE_CHECKING:
    from pathlib import Path

    from django.http import HttpResponse
    from django.test import Client
    from pytest_django.fixtures import SettingsWrapper

    from mailaccounts.mail.types import Endpoint
    from tests.domains import DnsServer
    from tests.sandbox_fixtures import SandboxMailbox

pytestmark = pytest.mark.django_db
CONNECT = "/settings/email-accounts/connect/"
FOUND = re.compile(r'<div class="alert alert-info" role="status" data-found>(.*?)</div>', re.S)


@pytest.fixture
def corp(
    world: object, dns_server: DnsServer, settings: SettingsWrapper, monkeypatch: pytest.MonkeyPatch
) -> DnsServer:
    """The DNS of corp.test, whose servers are the sandbox's; no preset knows that."""
    settings.MAILACCOUNTS = {**settings.MAILACCOUNTS, "PRESETS_FILE": ""}
    monkeypatch.setattr(dns.resolver, "default_resolver", dns_server.resolver)
    return dns_server


@pytest.fixture
def signed_in(client: Client) -> Client:
    client.force_login(make_user("anna"))
    return client


def srv(endpoint: Endpoint) -> list[str]:
    return [f"0 1 {endpoint.port} {endpoint.host}."]


def found(response: HttpResponse) -> str:
    (text,) = FOUND.findall(response.content.decode())
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", text)).split())


def test_servers_of_ones_own_domain_are_shown_and_then_used(
    signed_in: Client, mailbox: SandboxMailbox, corp: DnsServer
) -> None:
    corp.records["_imaps._tcp.corp.test", "SRV"] = srv(mailbox.sandbox.imap)
    corp.records["_submissions._tcp.corp.test", "SRV"] = srv(mailbox.sandbox.smtp)
    typed = {"address": "anna@corp.test", "username": mailbox.address, "password": mailbox.password}

    page = signed_in.post(CONNECT, typed)
    assert found(page) == (
        "Found by your domain's SRV records: localhost. They aren't under corp.test: go on only if you know whose "
        "they are. Check the servers below before you go on."
    )
    assert '<details class="options" open>' in page.content.decode()
    assert mailbox.password not in page.content.decode()
    assert not MailAccount.objects.exists()
    form = page.context["form"]
    shown = {name: form[name].value() for name in form.server_fields}
    assert shown == server_data(mailbox.sandbox.imap) | server_data(mailbox.sandbox.smtp)

    signed_in.post(CONNECT, typed | shown)
    account = MailAccount.objects.get()
    assert (account.address, account.imap, account.smtp) == (
        "anna@corp.test",
        mailbox.sandbox.imap,
        mailbox.sandbox.smtp,
    )


def test_an_address_alone_is_enough_to_look(signed_in: Client, corp: DnsServer) -> None:
    corp.records["corp.test", "MX"] = ["0 mx1.mail.ovh.net."]
    page = signed_in.post(CONNECT, {"address": "anna@corp.test", "password": ""})
    assert found(page).startswith("Found by your domain's MX records: OVHcloud. Check the servers below")
    assert "This field is required" not in page.content.decode()


@pytest.mark.parametrize(
    ("exchanger", "words", "host"),
    [
        (
            "0 corp-test.mail.protection.outlook.com.",
            "Found by your domain's MX records: Microsoft 365.",
            "outlook.office365.com",
        ),
        (
            "0 aspmx.l.google.com.",
            "Found by your domain's MX records: Google.",
            "imap.gmail.com",
        ),
    ],
)
def test_the_provider_of_a_customers_domain_is_named(
    signed_in: Client, corp: DnsServer, exchanger: str, words: str, host: str
) -> None:
    corp.records["corp.test", "MX"] = [exchanger]
    page = signed_in.post(CONNECT, {"address": "anna@corp.test", "password": "x"})
    assert found(page).startswith(words)
    assert f'value="{host}"' in page.content.decode()


def test_what_was_typed_by_hand_stays(signed_in: Client, corp: DnsServer) -> None:
    corp.records["corp.test", "MX"] = ["0 mx1.mail.ovh.net."]
    typed = {"address": "anna@corp.test", "password": "x", "smtp_host": "smtp.mine.test", "username": "anna"}
    form = signed_in.post(CONNECT, typed).context["form"]
    assert (form["smtp_host"].value(), form["username"].value()) == ("smtp.mine.test", "anna")
    assert form["imap_host"].value() == "ssl0.ovh.net"


def test_a_domain_that_says_nothing_is_asked_for_its_servers(signed_in: Client, corp: DnsServer) -> None:
    page = signed_in.post(CONNECT, {"address": "anna@corp.test", "password": "x"})
    assert problem(page)[0] == "unknown_hosts"
    assert '<details class="options" open>' in page.content.decode()


def test_a_domain_that_says_nothing_may_be_said_to_be_a_providers_customer(signed_in: Client, corp: DnsServer) -> None:
    """Where mail goes through a filter first, its MX doesn't tell."""
    corp.records["corp.test", "MX"] = ["0 mx1.filter.example."]
    page = signed_in.post(CONNECT, {"address": "anna@corp.test"}).content.decode()
    offered = re.findall(r'name="host" value="(\w+)">([^<]+)<', page)
    assert offered == [("microsoft365", "My mail is with Microsoft 365")]
    page = signed_in.post(CONNECT, {"address": "anna@corp.test", "host": "microsoft365"})
    assert found(page) == "As you say: Microsoft 365. Check the servers below before you go on."
    assert page.context["form"]["imap_host"].value() == "outlook.office365.com"
    assert "Continue to Microsoft" in page.content.decode()


@pytest.mark.parametrize("host", ["ovh", "unheard-of"])
def test_only_those_that_are_offered_can_be_said(signed_in: Client, corp: DnsServer, host: str) -> None:
    assert problem(signed_in.post(CONNECT, {"address": "anna@corp.test", "host": host}))[0] == "unknown_hosts"


def test_looking_too_often_has_to_wait(signed_in: Client, corp: DnsServer, settings: SettingsWrapper) -> None:
    settings.MAILACCOUNTS = {**settings.MAILACCOUNTS, "CONNECTION_TESTS": 2}
    codes = [problem(signed_in.post(CONNECT, {"address": "anna@corp.test", "password": "x"}))[0] for _ in range(3)]
    assert codes == ["unknown_hosts", "unknown_hosts", "too_many_attempts"]


def test_a_customers_domain_at_microsoft_is_offered_microsofts_consent(corp: DnsServer) -> None:
    """Without asking the DNS again: the servers that were found are the account's, and they tell whose they are."""
    account = make_account(address="anna@corp.test", imap_host="outlook.office365.com")
    assert [offer.client.provider for offer in consent.offers(account)] == ["microsoft"]
    account.imap_host = "imap.gmail.com"
    assert consent.offers(account) == []
    assert corp.asked == []


def connect_by_command(address: str, mailbox: SandboxMailbox, tmp_path: Path, **options: str) -> tuple[str, str]:
    """What the command says on stderr, and the sentence it fails with."""
    make_user("olga")
    secret, said = tmp_path / "secret", io.StringIO()
    secret.write_text(mailbox.password)
    flags = {"owner": "olga", "backend": "password", "secret_file": str(secret), **options}
    try:
        call_command("connect_mailbox", address, **flags, stderr=said, stdout=io.StringIO())
    except CommandError as error:
        return said.getvalue(), str(error)
    return said.getvalue(), ""


def test_the_command_tells_what_it_found_and_signs_in_nowhere_else(
    mailbox: SandboxMailbox, corp: DnsServer, tmp_path: Path
) -> None:
    corp.records["_imaps._tcp.corp.test", "SRV"] = srv(mailbox.sandbox.imap)
    said, failed = connect_by_command("anna@corp.test", mailbox, tmp_path)
    assert said == f"Found (srv): --imap {mailbox.sandbox.imap.url}\n"
    assert failed == (
        "The mail servers that corp.test names aren't its own, so nobody signed in there yet. "
        "Check them, and if they are right give them with --imap and --smtp."
    )
    assert not MailAccount.objects.exists()


def test_the_command_goes_on_where_the_provider_is_known(
    world: object, mailbox: SandboxMailbox, tmp_path: Path
) -> None:
    said, failed = connect_by_command(mailbox.address, mailbox, tmp_path)
    imap, smtp = mailbox.sandbox.imap.url, mailbox.sandbox.smtp.url
    assert said.startswith("Found (preset): ") and said.endswith(f" --imap {imap} --smtp {smtp}\n")
    assert failed == ""
    assert MailAccount.objects.get().imap == mailbox.sandbox.imap
