"""Nobody finds an account's password or tokens: not in a log, a task row, a traceback, a page, the admin, a column."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import pytest
from django.core.signals import got_request_exception
from django.urls import reverse
from django.views.debug import ExceptionReporter

from mailaccounts import tasks
from mailaccounts.models import Grant, MailAccount
from mailaccounts.queue import Job, enqueue
from mailaccounts.services.registering import clients
from mailaccounts.testing.sandbox import SandboxUser
from tests.app.builders import make_account, make_user
from tests.app.pages import connect_data
from tests.crm_process import Cluster, environment, wait_until
from tests.haul import (
    Haul,
    Listener,
    collect_admin,
    collect_everything,
    collect_failures,
    collect_tables,
    everything_logged,
    spellings,
    tokens_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from django.test import Client

    from tests.sandbox_fixtures import SandboxMailbox

pytestmark = pytest.mark.django_db(transaction=True)

MAIL = (
    b"From: Carl Contact <carl@customer.test>\r\nTo: %s\r\nSubject: Hello\r\nMessage-ID: <hello@customer.test>\r\n"
    b"Date: Thu, 01 Oct 2026 10:00:00 +0000\r\n\r\nHello there\r\n"
)


@pytest.fixture
def log() -> Iterator[Listener]:
    with everything_logged() as listener:
        yield listener


def host_columns(mailbox: SandboxMailbox) -> dict[str, Any]:
    """The servers of a sandbox mailbox as an account's columns."""
    imap, smtp = mailbox.sandbox.imap, mailbox.sandbox.smtp
    return {"imap_host": imap.host, "imap_port": imap.port, "smtp_host": smtp.host, "smtp_port": smtp.port}


@pytest.fixture
def owner(client: Client) -> Any:
    """Signed in, at the address that the provider sends people back to."""
    owner = make_user("olga")
    client.defaults["SERVER_NAME"] = "localhost"
    client.force_login(owner)
    return owner


@pytest.fixture
def account(owner: Any, client: Client, anna: SandboxMailbox, log: Listener) -> MailAccount:
    """Connected by password through the page, while everything is listened to."""
    anna.append(MAIL % anna.address.encode())
    wrong = client.post(reverse("mailaccounts:connect"), connect_data(anna, password="wrong-" + anna.password))
    assert not MailAccount.objects.exists(), wrong.content.decode()
    client.post(reverse("mailaccounts:connect"), connect_data(anna))
    return MailAccount.objects.get()


def test_a_password_is_found_nowhere(
    account: MailAccount, anna: SandboxMailbox, log: Listener, client: Client, admin_client: Client
) -> None:
    haul = Haul()
    tasks.sync(account.pk)
    collect_everything(haul, client=client, admin_client=admin_client, account=account)

    anna.sandbox.add_user(SandboxUser(address=anna.address, password="another-password"))
    tasks.sync(account.pk)
    again = client.post(
        reverse("mailaccounts:reconnect", args=[account.pk]), {"password": anna.password, "username": anna.address}
    )
    haul.add("page of a failed reconnect", again.content.decode())
    collect_failures(haul, account)
    collect_everything(haul, client=client, admin_client=admin_client, account=account)
    haul.add("log", "\n".join(log.lines))

    account.refresh_from_db()
    assert account.status_code == "password_rejected"
    assert haul.kinds_of_places(anna.address) >= {"table", "page", "admin", "print"}
    assert haul.kinds_of_places("localhost") >= {"log", "exception", "traceback"}
    assert haul.places_of(spellings(anna.password)) == []


def test_tokens_are_found_nowhere(
    account: MailAccount, anna: SandboxMailbox, log: Listener, client: Client, admin_client: Client
) -> None:
    haul = Haul()
    offer = {"offer": clients.registered("microsoft").pk}
    away = client.post(reverse("mailaccounts:switch", args=[account.pk]), offer)
    params = anna.sandbox.idp.person(anna.user).consent(away["Location"])
    back = client.get(reverse("mailaccounts:callback", args=["microsoft"]), params)
    haul.add("page after the consent", f"{back.headers} {client.get(back['Location']).content.decode()}")
    secrets = [params["code"], *tokens_of(account)]
    tasks.sync(account.pk)
    collect_everything(haul, client=client, admin_client=admin_client, account=account)

    Grant.objects.update(expires_at="2026-01-01T00:00Z")
    tasks.sync(account.pk)  # renews
    secrets += tokens_of(account)
    Grant.objects.update(expires_at="2026-01-01T00:00Z")
    anna.sandbox.idp.faults.fail(status=503, times=-1)
    collect_failures(haul, account)
    anna.sandbox.idp.faults.reset()
    anna.sandbox.idp.faults.revoke(anna.address)
    tasks.sync(account.pk)
    collect_failures(haul, account)
    collect_everything(haul, client=client, admin_client=admin_client, account=account)
    haul.add("log", "\n".join(log.lines))

    account.refresh_from_db()
    assert account.status_code == "grant_revoked"
    assert haul.kinds_of_places("icrosoft") >= {"table", "page", "admin", "print", "log"}
    assert len(set(secrets)) == 5, "the code, and two tokens twice"
    client_secret = anna.sandbox.idp.client_secret
    assert haul.places_of(spellings(*secrets, client_secret, anna.password)) == []


@pytest.mark.parametrize("page", ["connect", "reconnect"])
def test_the_report_of_a_crash_holds_no_password(
    page: str, owner: Any, client: Client, anna: SandboxMailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What Django mails to ADMINS: every frame with its variables, and what was sent."""

    def crash(*args: object, **options: object) -> None:
        raise RuntimeError("a bug")

    reports: list[str] = []

    def report(request: Any, **sent: Any) -> None:
        reporter = ExceptionReporter(request, *sys.exc_info())
        reports.append(reporter.get_traceback_html() + reporter.get_traceback_text())

    arguments = [make_account(owner, **host_columns(anna)).pk] if page == "reconnect" else []
    monkeypatch.setattr("mailaccounts.services.connecting.connect.activate", crash)
    got_request_exception.connect(report, dispatch_uid="test")
    client.raise_request_exception = False
    response = client.post(reverse(f"mailaccounts:{page}", args=arguments), connect_data(anna, username=anna.address))
    got_request_exception.disconnect(dispatch_uid="test")
    assert response.status_code == 500
    assert "RuntimeError" in reports[0]
    assert anna.address in reports[0]
    assert not [secret for secret in spellings(anna.password) if secret in reports[0]]


def test_a_worker_prints_and_keeps_no_secret(
    account: MailAccount, anna: SandboxMailbox, admin_client: Client, tmp_path: Path
) -> None:
    """A real worker with every log at DEBUG: one sync that works, one whose password is refused."""
    loud = {"LOG_LEVEL": "DEBUG", "LIBRARY_LOG_LEVEL": "DEBUG"}
    with Cluster(tmp_path / "log", env=environment(**anna.sandbox.environment(), **loud)) as cluster:
        wait_until(lambda: MailAccount.objects.get().last_sync_at, what="the first sync")
        anna.sandbox.add_user(SandboxUser(address=anna.address, password="another-password"))
        enqueue(Job.SYNC, account.pk)
        wait_until(lambda: MailAccount.objects.get().status_code, what="the refused sync")
        haul = Haul()
        haul.add("log of the worker", cluster.printed())
        collect_tables(haul)
        collect_admin(haul, admin_client)
    assert "imapclient" in cluster.printed()
    assert haul.places_of(spellings(anna.password, anna.sandbox.idp.client_secret)) == []
