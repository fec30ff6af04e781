"""Alarms of the installation's own: raised by what two looks see, told once, shown, and over when nothing is seen."""

from __future__ import annotations

import errno
import smtplib
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.core import mail
from django.core.cache import cache
from django.db import OperationalError
from django.test import Client
from django.utils import timezone

from mailaccounts import tasks
from mailaccounts.mail.types import Endpoint, Security
from mailaccounts.models import Alarm, Beat, MailAccount, ServerCertificate
from mailaccounts.services.running import alarms
from mailaccounts.services.signing_in import server_certificates
from mailaccounts.services.telling import operators, troubles
from mailaccounts.services.telling.safely import safely
from mailaccounts.services.trail import beats
from tests.app.builders import make_account, make_client
from tests.app.staff import make_staff

if TYPE_CHECKING:
    from pytest_django.fixtures import SettingsWrapper

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _admins(settings: SettingsWrapper) -> None:
    settings.ADMINS = [("Olga", "olga@crm.test")]


def look(times: int = 1) -> None:
    """So many looks, a minute apart."""
    for _ in range(times):
        Beat.objects.filter(name=alarms.TURN).delete()
        alarms.look()


def kinds() -> list[str]:
    return sorted(alarms.raised().values_list("kind", flat=True))


def refuse(*_: object) -> int:
    raise ConnectionError("redis://secret@broker")


def test_a_broker_that_is_away_is_raised_by_ticks_told_once_and_over_when_it_is_back(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.force_login(make_staff("support", "view_mailaccount"))
    with monkeypatch.context() as patch:
        patch.setattr("mailaccounts.queue.waiting", refuse)
        tasks.tick()
        tasks.tick()  # at once: not another look
        assert kinds() == []
        Beat.objects.filter(name=alarms.TURN).update(at=timezone.now() - timedelta(minutes=1))
        tasks.tick()
        look(3)
        page = client.get("/admin/mailaccounts/mailaccount/dashboard/").content.decode()
        assert "The broker is out of reach" in page and "Start Redis" in page
        assert client.get("/readyz").json()["alarms"] == ["broker"]
    (told,) = mail.outbox
    assert told.to == ["olga@crm.test"] and "Start Redis" in told.body and "secret" not in told.body
    look()
    assert kinds() == ["broker"]  # one look without it proves nothing
    look()
    assert kinds() == [] and Alarm.objects.get().until is not None
    assert len(mail.outbox) == 1


def test_what_passes_between_two_looks_is_no_alarm(monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(3):
        with monkeypatch.context() as patch:
            patch.setattr("mailaccounts.queue.waiting", refuse)
            look()
        look()
    assert not Alarm.objects.exists() and mail.outbox == []


def test_the_alarms_of_a_look_share_a_mail_and_what_comes_and_goes_is_told_once_an_hour(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    make_account(status="ok", next_sync_at=timezone.now() - timedelta(hours=1))
    with monkeypatch.context() as patch:
        patch.setattr("mailaccounts.queue.waiting", lambda: 10_000)
        look(2)
    (told,) = mail.outbox
    assert "and 1 more" in told.subject
    assert "10000 jobs wait" in told.body and "1 of 1 accounts are behind" in told.body
    look(2)
    monkeypatch.setattr("mailaccounts.queue.waiting", lambda: 10_000)
    look(3)
    assert (kinds(), len(mail.outbox)) == (["lag", "queue"], 1)
    Alarm.objects.filter(told_at__isnull=False).update(told_at=timezone.now() - timedelta(minutes=61))
    look(2)
    assert len(mail.outbox) == 2 and "accounts are behind" not in mail.outbox[1].body


def test_a_mail_that_does_not_go_out_is_sent_by_a_later_look(monkeypatch: pytest.MonkeyPatch) -> None:
    def down(*_: object, **__: object) -> None:
        raise smtplib.SMTPServerDisconnected

    monkeypatch.setattr("mailaccounts.queue.waiting", lambda: 10_000)
    with monkeypatch.context() as patch:
        patch.setattr(operators, "mail_admins", down)
        look(2)
        assert (kinds(), Alarm.objects.get().told_at) == (["queue"], None)
    look(2)
    assert len(mail.outbox) == 1


def test_processes_that_stop_or_run_another_version_are_told() -> None:
    now = timezone.now()
    Beat.objects.create(name="tick", at=now - timedelta(minutes=9))
    Beat.objects.create(name="watcher one", at=now - timedelta(minutes=4))
    Beat.objects.create(name="worker old 1", at=now, version="0.0.9")
    look(2)
    assert kinds() == ["watcher", "workers"]
    Alarm.objects.update(since=now - timedelta(minutes=11))
    Beat.objects.create(name="watcher two", at=now)
    look(2)
    assert kinds() == ["version", "workers"]
    assert "A process (worker) runs version 0.0.9" in Alarm.objects.get(kind="version").words
    assert not Beat.objects.filter(name="watcher one").exists() or Beat.objects.get(name="watcher one").at < now


def test_a_web_server_that_was_left_with_an_older_version_is_told_of_while_people_use_it(
    settings: SettingsWrapper, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, "mailaccounts.middleware.AliveMiddleware"]
    monkeypatch.setattr(beats, "__version__", "0.0.9")
    browser = Client()
    browser.get("/healthz")
    assert not Beat.objects.exists()
    browser.force_login(make_staff("support", "view_mailaccount"))
    for _ in range(3):
        browser.get("/admin/mailaccounts/mailaccount/dashboard/")
    look(2)
    Alarm.objects.update(since=timezone.now() - timedelta(minutes=11))
    look()
    (alarm,) = alarms.raised()
    assert (alarm.kind, alarm.words.partition(" beside ")[0]) == ("version", "A process (web) runs version 0.0.9")


def test_accounts_that_are_late_are_told_of_when_they_are_more_than_a_few() -> None:
    late = timezone.now() - timedelta(hours=1)
    for number in range(21):
        make_account(status="ok", next_sync_at=timezone.now() if number else late)
    look(2)
    assert kinds() == []
    MailAccount.objects.update(next_sync_at=late)
    look(2)
    assert kinds() == ["lag"]


def test_a_full_disk_and_a_database_that_breaks_off_are_told_and_a_busy_one_is_not() -> None:
    class Postgres(Exception):
        sqlstate = "40P01"  # deadlock

    def work(error: Exception, cause: Exception | None = None) -> None:
        def broken() -> None:
            raise error from cause

        safely(broken)

    work(OperationalError("words of a server"), Postgres())
    look(2)
    assert kinds() == []
    work(OSError(errno.ENOSPC, "no room"))
    assert [each.subject for each in mail.outbox] == [
        "[Django] A disk is full"
    ]  # at once: the database may take no alarm
    work(OperationalError("words of a server"))
    look(2)
    assert kinds() == ["database", "disk"]
    cache.clear()
    look(2)
    assert kinds() == []
    full = Postgres()
    full.sqlstate = "53100"
    work(OperationalError("words of a server"), full)
    assert troubles.met_at(troubles.DISK)
    assert not any("words" in str(each.body) for each in mail.outbox)


def test_what_has_a_mail_of_its_own_is_shown_and_not_told_again() -> None:
    make_client(name="Contoso", secret_expires_on=timezone.localdate() + timedelta(days=12))
    make_client(name="Fabrikam", alarm_code="client_rejected", alarm_at=timezone.now())
    look(3)
    assert kinds() == ["client", "secret"] and mail.outbox == []


def test_the_certificate_of_an_own_mail_server_is_on_the_radar_and_told_a_fortnight_before(client: Client) -> None:
    soon = timezone.now() + timedelta(days=13, hours=1)
    for host, ends in (("mail.own.test", soon), ("imap.gmail.com", soon), ("far.own.test", soon + timedelta(days=99))):
        endpoint = Endpoint(protocol="imap", host=host, port=993, security=Security.TLS)
        server_certificates.note(endpoint, ends.timestamp())
    assert ServerCertificate.objects.count() == 2
    look(2)
    assert kinds() == ["certificate"]
    client.force_login(make_staff("support", "view_mailaccount"))
    page = client.get("/admin/mailaccounts/mailaccount/dashboard/").content.decode()
    assert "Certificate of mail.own.test:993" in page and "in 13 days" in page
    renewed = Endpoint(protocol="imap", host="mail.own.test", port=993, security=Security.TLS)
    server_certificates.note(renewed, datetime(2099, 1, 1, tzinfo=UTC).timestamp())
    look(2)
    assert kinds() == []


def test_numbers_of_alarms_are_told_by_kind(client: Client, settings: SettingsWrapper) -> None:
    settings.MAILACCOUNTS = {**settings.MAILACCOUNTS, "METRICS_TOKEN": "a-token"}
    now = timezone.now()
    Alarm.objects.create(kind="disk", words="Full.", since=now, raised_at=now)
    Alarm.objects.create(kind="lag", words="Late.", since=now, raised_at=now, until=now)
    text: Any = client.get("/metrics", headers={"authorization": "Bearer a-token"}).content.decode()
    assert 'mailaccounts_alarms{kind="disk"} 1.0' in text and 'mailaccounts_alarms{kind="lag"} 0.0' in text
