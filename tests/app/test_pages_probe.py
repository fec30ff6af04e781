"""The page that tests a connection: each step with its result, and what helps where one fails."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from mailaccounts.models import Credential, MailAccount
from tests.app.builders import make_account, make_credential, make_user
from tests.app.pages import problem

if TYPE_CHECKING:
    from django.http import HttpResponse
    from django.test import Client
    from pytest_django.fixtures import SettingsWrapper

    from mailaccounts.mail.types import Endpoint
    from tests.sandbox_fixtures import SandboxMailbox

pytestmark = pytest.mark.django_db(transaction=True)
STEP = re.compile(r'<li class="trail-step" data-result="(\w+)"(?: data-code="(\w+)")?')


def account_of(mailbox: SandboxMailbox, **changes: object) -> MailAccount:
    def columns(endpoint: Endpoint) -> dict[str, object]:
        kind = endpoint.protocol
        return {
            f"{kind}_host": endpoint.host,
            f"{kind}_port": endpoint.port,
            f"{kind}_security": endpoint.security,
        }

    servers = columns(mailbox.sandbox.imap) | columns(mailbox.sandbox.smtp)
    account = make_account(address=mailbox.address, **{**servers, **changes})
    make_credential(account, secret=mailbox.password)
    return account


def probe(client: Client, account: MailAccount) -> HttpResponse:
    client.force_login(account.owner)
    return client.post(f"/settings/email-accounts/{account.pk}/probe/")


def steps(response: HttpResponse) -> list[tuple[str, str]]:
    return STEP.findall(response.content.decode())


def test_every_step_is_shown_when_all_is_well(client: Client, anna: SandboxMailbox) -> None:
    page = probe(client, account_of(anna))
    text = page.content.decode()
    assert steps(page) == [("ok", "")] * 15
    assert [words in text for words in ("Everything works.", "Reading (IMAP)", "Sending (SMTP)", "TLSv1.3")] == [
        True
    ] * 4
    assert anna.password not in text


def test_it_ends_where_it_fails_and_says_what_helps(client: Client, anna: SandboxMailbox) -> None:
    page = probe(client, account_of(anna, imap_port=anna.sandbox.imap_starttls.port))
    assert ("failed", "tls_not_spoken") in steps(page)
    assert "Choose STARTTLS for this port" in page.content.decode()


def test_a_refused_sign_in_is_not_tried_a_second_time(client: Client, anna: SandboxMailbox) -> None:
    account = account_of(anna)
    Credential.objects.all().delete()
    make_credential(account, secret="not-the-password")
    found = steps(probe(client, account))
    assert found.count(("failed", "password_rejected")) == 1
    assert found[-1] == ("skipped", "")


def test_looking_at_the_page_connects_to_nothing(client: Client, anna: SandboxMailbox) -> None:
    account = account_of(anna, imap_host="nowhere.invalid")
    client.force_login(account.owner)
    page = client.get(f"/settings/email-accounts/{account.pk}/probe/")
    assert (page.status_code, steps(page)) == (200, [])


def test_tests_are_counted(client: Client, anna: SandboxMailbox, settings: SettingsWrapper) -> None:
    settings.MAILACCOUNTS = {**settings.MAILACCOUNTS, "CONNECTION_TESTS": 1}
    account = account_of(anna)
    probe(client, account)
    assert problem(probe(client, account))[0] == "too_many_attempts"


def test_somebody_elses_account_is_not_there(client: Client) -> None:
    account = make_account()
    client.force_login(make_user())
    assert client.get(f"/settings/email-accounts/{account.pk}/probe/").status_code == 404
    assert client.post(f"/settings/email-accounts/{account.pk}/probe/").status_code == 404
