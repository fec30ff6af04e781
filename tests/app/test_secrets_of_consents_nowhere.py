"""Nobody finds what providers issue, nor what we prove ourselves to them with: whatever the provider, and whether
somebody consented or an administrator opened the mailbox to us."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import pytest
from django.core.signals import got_request_exception
from django.urls import reverse
from django.views.debug import ExceptionReporter

from mailaccounts import tasks
from mailaccounts.models import ConsentAttempt, Credential, Grant, MailAccount, OAuthClient
from mailaccounts.services.connecting.begin import begin
from mailaccounts.services.connecting.disconnect import disconnect
from mailaccounts.services.organisations import apponly
from tests.app import organisations
from tests.app.admin_pages import add, page_of
from tests.app.builders import make_user
from tests.app.test_pages_consent import Visit
from tests.haul import (
    Haul,
    Listener,
    collect_everything,
    collect_failures,
    collect_tables,
    everything_issued,
    everything_logged,
    spellings,
)
from tests.sandbox_crm import draft_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from django.http import HttpRequest
    from django.test import Client
    from pytest_django.fixtures import SettingsWrapper

    from mailaccounts.testing.sandbox import Sandbox
    from tests.sandbox_fixtures import SandboxMailbox

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def log() -> Iterator[Listener]:
    with everything_logged() as listener:
        yield listener


@pytest.fixture
def issued() -> Iterator[list[str]]:
    with everything_issued() as tokens:
        yield tokens


def search(haul: Haul, account: MailAccount, sandbox: Sandbox, *, client: Client, admin_client: Client) -> None:
    """Looks at everything while the account is well, while its provider is down, and once it is disconnected."""
    tasks.sync(account.pk)
    Grant.objects.update(expires_at="2026-01-01T00:00Z")
    tasks.sync(account.pk)  # renews
    account.refresh_from_db()
    assert account.status == "ok", account.status_code
    collect_everything(haul, client=client, admin_client=admin_client, account=account)
    Grant.objects.update(expires_at="2026-01-01T00:00Z")
    sandbox.idp.faults.fail(status=503, times=-1)
    collect_failures(haul, account)
    sandbox.idp.faults.refuse("invalid_client", status=401, times=-1)
    tasks.sync(account.pk)
    collect_failures(haul, account)
    sandbox.idp.faults.reset()
    disconnect(account, erase_mail=False, actor=account.owner)
    assert not Credential.objects.exists()
    collect_tables(haul)


@pytest.mark.parametrize("domain", ["google.test", "oidc.test"])
def test_what_a_consent_yields_is_found_nowhere(
    domain: str,
    every_provider: Sandbox,
    new_mailbox: Callable[..., SandboxMailbox],
    log: Listener,
    issued: list[str],
    admin_client: Client,
) -> None:
    mailbox, visit, haul = new_mailbox(domain=domain), Visit(), Haul()
    away = visit.leave(mailbox.address)
    flow = json.loads(ConsentAttempt.objects.get().flow.reveal())
    collect_tables(haul)
    back = every_provider.idp.person(mailbox.user).consent(away)
    provider = "google" if domain == "google.test" else "oidc"
    page = visit.client.get(reverse("mailaccounts:callback", args=[provider]), back, follow=True)
    haul.add("page after the consent", f"{page.headers} {page.content.decode()}")
    account = MailAccount.objects.get()
    begin(account, since=None)
    account.refresh_from_db()
    search(haul, account, every_provider, client=visit.client, admin_client=admin_client)
    haul.add("log", "\n".join(log.lines))
    assert haul.kinds_of_places(mailbox.address) >= {"table", "page", "admin", "print"}
    assert len(set(issued)) >= 5, "an ID token, and twice what opens the mailbox and what renews it"
    registered = [registration.client_secret for registration in every_provider.idp.registrations.values()]
    sought = spellings(back["code"], flow["code_verifier"], *issued, *registered)
    assert haul.places_of(sought) == []


@pytest.mark.parametrize("kind", ["certificate", "service_account"])
def test_what_opens_mailboxes_without_their_users_is_found_nowhere(
    kind: str,
    world: Sandbox,
    settings: SettingsWrapper,
    new_mailbox: Callable[..., SandboxMailbox],
    client: Client,
    boss: Client,
    log: Listener,
    issued: list[str],
) -> None:
    """Entered in the admin, verified there, and at work."""
    settings.MAILACCOUNTS = {**settings.MAILACCOUNTS, "CLIENTS": {}}
    registration = {
        "certificate": world.idp.certificate_registration,
        "service_account": world.idp.service_account_registration,
    }[kind]
    mailbox, haul = new_mailbox(), Haul()
    form = {
        "provider": "google" if kind == "service_account" else "microsoft",
        "tenant": registration.tenant,
        "authority": registration.authority.removesuffix(f"/{registration.tenant}"),
        "client_id": registration.client_id,
        "proof": kind,
        "secret": registration.client_secret,
        "app_only": "on",
    }
    refused = boss.post("/admin/mailaccounts/oauthclient/add/", {**form, "name": "", "new_secret": "two words"})
    haul.add("page of a refused form", refused.content.decode())
    row = add(boss, **form)
    boss.post(page_of(row), {**form, "name": "Renamed", "is_active": "on", "new_secret": registration.client_secret})
    verified = boss.post(page_of(row, "verify"), {"mailbox": mailbox.address}, HTTP_HOST="localhost")
    haul.add("page of a verification", verified.content.decode())
    draft = draft_of(mailbox, make_user())
    row = OAuthClient.objects.get()
    organisations.let_in(row, world.idp)
    account = apponly.connect_app_only(draft, row)
    owner = Visit()
    owner.client.force_login(account.owner)
    search(haul, account, world, client=owner.client, admin_client=boss)
    haul.add("log", "\n".join(log.lines))
    assert haul.kinds_of_places("Renamed") >= {"table", "admin", "print"}
    assert len(set(issued)) >= 3
    assert haul.places_of(spellings(*issued, *parts_of(registration.client_secret))) == []


def parts_of(secret: str) -> list[str]:
    """What is private of a key: the lines of its PEM, but for those of a certificate."""
    try:
        pem = json.loads(secret)["private_key"]
    except ValueError:
        pem = secret
    _, _, private = pem.partition("PRIVATE KEY-----")
    body, _, _ = private.partition("-----END")
    return [line for line in body.split("\n") if len(line) > 32]


def test_the_report_of_a_crash_holds_nothing_that_was_issued(
    every_provider: Sandbox,
    new_mailbox: Callable[..., SandboxMailbox],
    issued: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What Django mails to ADMINS: every frame with its variables, and what was sent. The code is there: it was used,
    and is worth nothing without what proves that it was meant for us."""
    mailbox, visit = new_mailbox(domain="google.test"), Visit()
    back = every_provider.idp.person(mailbox.user).consent(visit.leave(mailbox.address))
    flow = json.loads(ConsentAttempt.objects.get().flow.reveal())
    reports = []

    def report(request: HttpRequest, **_: object) -> None:
        reporter = ExceptionReporter(request, *sys.exc_info())
        reports.append(reporter.get_traceback_html() + reporter.get_traceback_text())

    def crash(*args: object, **options: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr("mailaccounts.services.connecting.connect.activate", crash)
    got_request_exception.connect(report, dispatch_uid="test")
    visit.client.raise_request_exception = False
    response = visit.client.get(reverse("mailaccounts:callback", args=["google"]), back)
    got_request_exception.disconnect(dispatch_uid="test")
    assert response.status_code == 500
    assert "a bug" in reports[0]
    assert mailbox.address in reports[0]
    ours = every_provider.idp.registrations["google"].client_secret
    assert [each for each in spellings(flow["code_verifier"], *issued, ours) if each in reports[0]] == []
