"""The day on which a client secret ends is said in time: in the log, by mail, and by the system checks."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from django.core import mail
from django.core.checks import run_checks
from django.utils import timezone

from mailaccounts import tasks
from mailaccounts.crypto import Secret
from mailaccounts.services.registering.secret_expiry import Expiry, expiring
from tests.app.builders import make_client, make_grant

if TYPE_CHECKING:
    from datetime import date

    from pytest_django.fixtures import SettingsWrapper

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _admins(settings: SettingsWrapper) -> None:
    settings.ADMINS = [("Olga", "olga@crm.test")]


def in_days(days: int) -> date:
    return timezone.localdate() + timedelta(days=days)


@pytest.mark.parametrize(
    ("days", "words"),
    [(-1, "expired on"), (0, "expires today"), (1, "expires tomorrow"), (30, "expires in 30 days"), (31, "")],
)
def test_a_secret_that_ends_within_30_days_is_named_with_its_day(days: int, words: str) -> None:
    make_client(secret_expires_on=in_days(days))
    told = [str(expiry) for _, expiry in expiring()]
    assert len(told) == bool(words)
    assert all(each.startswith(words) and in_days(days).isoformat() in each for each in told)


def test_a_secret_works_on_its_last_day() -> None:
    expiries = [Expiry.of(make_client(secret_expires_on=in_days(days))) for days in (0, -1)]
    assert [expiry.is_over for expiry in expiries if expiry] == [False, True]


def test_a_next_secret_that_lasts_is_no_reason_to_worry() -> None:
    make_client(secret_expires_on=in_days(3), next_secret=Secret("new"), next_secret_expires_on=in_days(300))
    make_client(secret_expires_on=in_days(3), next_secret=Secret("new"))
    assert expiring() == []


def test_a_next_secret_that_ends_too_is() -> None:
    make_client(secret_expires_on=in_days(-3), next_secret=Secret("new"), next_secret_expires_on=in_days(3))
    assert [expiry.days for _, expiry in expiring()] == [3]


def test_a_registration_out_of_use_is_left_out_until_a_mailbox_still_needs_it() -> None:
    client = make_client(secret_expires_on=in_days(3), is_active=False)
    assert expiring() == []
    make_grant(client)
    make_grant(client)
    assert [found for found, _ in expiring()] == [client]


def test_the_log_says_it_once_a_day_for_each_registration_and_not_for_its_accounts(
    caplog: pytest.LogCaptureFixture,
) -> None:
    for days in (3, -3):
        client = make_client(secret_expires_on=in_days(days))
        make_grant(client)
        make_grant(client)
    tasks.day()
    assert sorted(record.levelno for record in caplog.records) == [logging.WARNING, logging.ERROR]


@pytest.mark.parametrize(("days", "mails"), [(30, 1), (29, 0), (7, 1), (1, 1), (0, 1), (-1, 0), (100, 0)])
def test_the_admins_get_a_mail_when_it_is_time_to_act(days: int, mails: int) -> None:
    make_client(name="Contoso", secret_expires_on=in_days(days))
    tasks.day()
    assert [("Contoso" in each.body, "the next secret" in each.body) for each in mail.outbox] == [(True, True)] * mails


def test_registrations_that_end_together_are_one_mail() -> None:
    make_client(secret_expires_on=in_days(7))
    make_client(secret_expires_on=in_days(1))
    tasks.day()
    assert len(mail.outbox) == 1


def test_the_settings_say_when_the_secret_they_name_ends(settings: SettingsWrapper) -> None:
    named = {"client_id": "a", "client_secret": "b", "authority": "https://localhost", "tenant": "t"}
    for day, told in ((in_days(3).isoformat(), [3]), (in_days(90).isoformat(), []), ("", []), ("soon", [])):
        clients = {"microsoft": {**named, "secret_expires_on": day}}
        settings.MAILACCOUNTS = {**settings.MAILACCOUNTS, "CLIENTS": clients}
        tasks.day()
        assert [expiry.days for _, expiry in expiring()] == told


def test_the_system_checks_warn_where_the_database_is_asked() -> None:
    make_client(name="Contoso", secret_expires_on=in_days(12))
    assert run_checks(tags=["mailaccounts"]) == []
    warnings = run_checks(tags=["mailaccounts"], databases=["default"])
    assert [(each.id, "Contoso" in each.msg, "in 12 days" in each.msg) for each in warnings] == [
        ("mailaccounts.W002", True, True)
    ]
