"""The dashboard: figures that are true, kept day by day, and cost the same however many accounts there are."""

from __future__ import annotations

import re
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.core.cache import cache
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from mailaccounts import tasks
from mailaccounts.models import DailyFigures, HourlyFigures, MailAccount, Tally
from mailaccounts.presets import ProviderLimits
from mailaccounts.services.limits import budget, slots
from mailaccounts.services.running import figures, situation
from tests.app.builders import make_account, make_client, make_credential, make_grant, make_user
from tests.app.crowd import make_accounts
from tests.app.staff import make_staff

if TYPE_CHECKING:
    from django.test import Client

pytestmark = pytest.mark.django_db

DASHBOARD = "/admin/mailaccounts/mailaccount/dashboard/"


@pytest.fixture
def support(client: Client) -> Client:
    client.force_login(make_staff("support", "view_mailaccount"))
    return client


def words(client: Client, section: str) -> str:
    """What a section of the page says, without its tags."""
    page = client.get(DASHBOARD).content.decode()
    part = page.partition(f'aria-labelledby="{section}-title"')[2].partition("</section>")[0]
    return " ".join(re.sub(r"<[^>]+>", " ", part.partition(">")[2]).split())


def ago(**how: float) -> Any:
    return timezone.now() - timedelta(**how)


def test_each_day_remembers_how_many_accounts_there_were() -> None:
    make_credential(make_account(status="ok"))
    make_credential(make_account(status="ok", paused_at=timezone.now()), backend="xoauth2", grant=make_grant())
    make_account(status="disconnected")
    tasks.day()
    wanted = {"password": {"ok": 1}, "xoauth2": {"paused": 1}, "": {"disconnected": 1}}
    assert DailyFigures.objects.get(day=timezone.localdate()).accounts == wanted
    MailAccount.objects.filter(status="disconnected").delete()
    tasks.day()  # once more on the same day
    assert DailyFigures.objects.get().accounts == {"password": {"ok": 1}, "xoauth2": {"paused": 1}}


def test_the_way_from_password_to_oauth_is_a_picture_with_its_numbers(support: Client) -> None:
    for days, passwords in ((2, 5), (1, 3)):
        day = timezone.localdate() - timedelta(days=days)
        numbers = {"password": {"ok": passwords}, "xoauth2": {"ok": 6 - passwords}}
        DailyFigures.objects.create(day=day, accounts=numbers)
    make_credential(make_account(status="ok"), backend="xoauth2", grant=make_grant())
    response = support.get(DASHBOARD)
    chart = response.context["kinds"]
    assert [numbers for _, numbers in chart.rows] == [[0, 1, 1], [3, 3, 6], [5, 1, 6]]
    assert [shape.height for shape in chart.shapes] == [166.67, 33.33, 100.0, 100.0, 33.33]
    tops = [round(shape.y + shape.height) for shape in chart.shapes if shape.series == "password"]
    assert tops == [200, 200]
    said = words(support, "kinds")
    assert "Together" in said
    assert "style=" not in response.content.decode().partition("dashboard")[2].partition("kinds-title")[2]


def test_each_hour_remembers_what_was_examined_and_stored(support: Client) -> None:
    account = make_account(status="ok")
    tally = Tally.objects.create(account=account, stored=10, nobody=90, again=5, joined=5)
    hour = timezone.now().replace(minute=0, second=0, microsecond=0)
    HourlyFigures.objects.create(hour=hour - timedelta(hours=1), examined=40, stored=4)
    HourlyFigures.objects.create(hour=hour - timedelta(days=30), examined=1, stored=1)
    tasks.tick()
    tasks.tick()
    assert sorted(HourlyFigures.objects.values_list("hour", "examined", "stored")) == [
        (hour - timedelta(hours=1), 40, 4),
        (hour, 100, 10),
    ]
    Tally.objects.filter(pk=tally.pk).update(stored=12)
    assert [(each.examined, each.stored) for each in figures.hours(48)] == [(60, 6), (2, 2)]
    account.delete()  # takes its messages along
    assert [(each.examined, each.stored) for each in figures.hours(48)] == [(60, 6), (0, 0)]


def test_lag_is_told_for_half_for_most_and_for_the_worst(support: Client) -> None:
    now = timezone.now()
    owner = make_user()
    for minutes in range(100):
        turns = {"last_sync_at": now - timedelta(minutes=minutes), "next_sync_at": now + timedelta(minutes=minutes)}
        make_account(owner, address=f"a{minutes}@a.test", status="ok", **turns)
    make_account(status="needs_owner", last_sync_at=ago(days=9))
    make_account(status="ok", paused_at=now, last_sync_at=ago(days=9))
    MailAccount.objects.filter(address="a7@a.test").update(next_sync_at=ago(minutes=30))
    lag = situation.lag()
    assert lag.accounts == 100
    spread = [round(seconds / 60) for seconds in (lag.since_sync.p50, lag.since_sync.p95, lag.since_sync.most)]
    assert spread == [49, 94, 99]
    assert (lag.behind.p50, lag.behind.p95, round(lag.behind.most / 60)) == (0, 0, 30)
    assert [account.address for account in lag.worst][:2] == ["a99@a.test", "a98@a.test"]
    assert "a99@a.test" in words(support, "lag")


def test_errors_are_told_by_what_helps(support: Client) -> None:
    for code, number in (("password_rejected", 3), ("grant_revoked", 1), ("throttled", 2), ("no_such_code", 1)):
        for _ in range(number):
            make_account(status="waiting", status_code=code)
    make_account(status="disconnected", status_code="erasing")
    said = words(support, "errors")
    assert "The owner signs in again 4 password_rejected (3), grant_revoked (1)" in said
    assert "Nobody: it passes 2 throttled (2)" in said
    assert "We act: this installation 1 no_such_code (1)" in said
    assert "erasing" not in said


def test_what_ends_soon_is_told(support: Client) -> None:
    make_client(name="Contoso", secret_expires_on=timezone.localdate() + timedelta(days=12))
    make_client(name="Fabrikam", proof="certificate", secret_expires_on=timezone.localdate() - timedelta(days=1))
    grant = make_grant(signed_in_as="idle@a.test", refreshed_at=ago(days=70))
    make_grant(signed_in_as="busy@a.test", client=grant.client, refreshed_at=ago(days=7))
    make_credential(make_account(imap_host="outlook.office365.com", address="a@a.test"))
    said = words(support, "radar")
    assert "Client secret of Contoso expires in 12 days" in said
    assert "Certificate of Fabrikam expired on" in said
    assert "1 consent that nobody has used for 60 days" in said
    assert "idle@a.test" in said
    assert "busy@a.test" not in said
    assert re.search(r"Password at Microsoft 365, for [^:]*: 1 account (in|ended)", said)


def test_providers_budgets_are_told(support: Client) -> None:
    cache.clear()
    make_account(imap_host="imap.gmail.com", status="waiting", status_code="allowance_spent")
    make_account(imap_host="imap.gmail.com", status="waiting", status_code="server_down")
    said = words(support, "servers")
    assert re.search(r"imap\.gmail\.com\s+Google 2 1 1 15 connections", said), said


def test_connections_that_are_limited_together_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    cache.clear()
    limits = {"few.test": ProviderLimits(connections_in_all=5), "many.test": ProviderLimits()}
    monkeypatch.setattr(budget, "_limits", limits.get)
    for _ in range(2):
        assert slots.take(f"{budget._key('few.test')}:connection", among=5, seconds=60)
    assert budget.connections_in_use(["few.test", "many.test"]) == {"few.test": 2}


def test_a_broker_out_of_reach_is_told(support: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> int:
        raise ConnectionError

    monkeypatch.setattr(situation, "waiting", refuse)
    assert "The queue can't be asked." in words(support, "queue")


def test_an_installation_without_accounts_says_so(support: Client) -> None:
    assert "No mailbox is connected yet." in words(support, "kinds")
    assert "No account has trouble." in words(support, "errors")
    assert "A worker counts them" in words(support, "hours")
    assert "Nothing that is known of." in words(support, "radar")


def test_only_who_may_see_accounts_sees_it(client: Client) -> None:
    client.force_login(make_staff("other", "view_grant"))
    assert client.get(DASHBOARD).status_code == 403
    assert "Dashboard" not in client.get("/admin/mailaccounts/").content.decode()
    client.force_login(make_staff("support", "view_mailaccount"))
    assert DASHBOARD in client.get("/admin/mailaccounts/").content.decode()
    assert DASHBOARD in client.get("/admin/mailaccounts/mailaccount/").content.decode()


def test_it_takes_as_many_queries_with_many_accounts_as_with_few(support: Client) -> None:
    make_accounts(2)
    HourlyFigures.objects.create(hour=ago(hours=2), examined=1, stored=1)
    DailyFigures.objects.create(day=date(2020, 1, 1), accounts={})
    with CaptureQueriesContext(connection) as few:
        support.get(DASHBOARD)
    make_accounts(60)
    with CaptureQueriesContext(connection) as many:
        support.get(DASHBOARD)
    assert len(many) == len(few) <= 25
