"""Support helps somebody in the admin: finds the account, tests it, pauses it, and looks how everything is doing."""

from __future__ import annotations

from datetime import timedelta
from math import pi, sin
from typing import TYPE_CHECKING

import pytest
from django.contrib.auth.models import Permission
from django.utils import timezone
from playwright.sync_api import expect

from mailaccounts.models import DailyFigures, HourlyFigures, MailAccount
from tests.app.builders import make_client
from tests.app.crowd import make_accounts
from tests.app.test_admin_lists import SUPPORT
from tests.browser.person import NARROW, PATIENCE, WIDE

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.browser.person import Person

pytestmark = pytest.mark.django_db(transaction=True)

LIST = "/admin/mailaccounts/mailaccount/"


@pytest.fixture
def new_support(new_person: Callable[..., Person]) -> Callable[..., Person]:
    """Staff with the permissions that the documents give to support."""

    def make(**options: object) -> Person:
        person = new_person("support", **options)
        person.user.is_staff = True
        person.user.save()
        allowed = Permission.objects.filter(content_type__app_label="mailaccounts", codename__in=SUPPORT)
        person.user.user_permissions.set(allowed)
        person.sign_in()
        return person

    return make


def some_days_and_hours() -> None:
    today, hour = timezone.localdate(), timezone.now().replace(minute=0, second=0, microsecond=0)
    DailyFigures.objects.bulk_create(
        DailyFigures(
            day=today - timedelta(days=ago),
            accounts={
                "password": {"ok": ago, "waiting": 3},
                "app_password": {"ok": 12, "needs_owner": 2},
                "xoauth2": {"ok": 90 - ago, "paused": 2},
                "app_only": {"ok": (90 - ago) // 3},
            },
        )
        for ago in range(1, 90)
    )
    HourlyFigures.objects.bulk_create(
        HourlyFigures(
            hour=hour - timedelta(hours=ago), examined=99_000 - 700 * ago - _wave(ago), stored=9000 - 90 * ago
        )
        for ago in range(48)
    )


def _wave(ago: int) -> int:
    """More by day than by night."""
    return int(2000 * sin(ago / 24 * 2 * pi))


def test_support_finds_an_account_and_helps(new_support: Callable[..., Person]) -> None:
    some_accounts = make_accounts(60)
    account = some_accounts[7]
    support = new_support(viewport=WIDE)
    page = support.page
    page.goto(LIST)
    support.look("list")
    page.get_by_role("link", name="The owner signs in again").click()
    expect(page.locator("#result_list")).to_contain_text("password_rejected")
    page.goto(LIST)
    page.locator("#searchbar").fill(account.address)
    page.get_by_role("button", name="Search").click()
    page.get_by_role("checkbox", name="Select this object").check()
    page.get_by_label("Action:").select_option("Pause")
    page.locator("button[name=index]").click()
    expect(page.get_by_text("1 account is paused")).to_be_visible()
    page.get_by_role("link", name=account.address).click()
    support.look("account")
    page.get_by_role("link", name="Test the connection").click()
    page.get_by_role("button", name="Start the test").click()
    expect(page.get_by_text("Something doesn't work.")).to_be_visible(timeout=PATIENCE)
    support.look("probe")
    page.get_by_role("link", name=f"Back to {account.address}").click()
    page.get_by_role("link", name="What was done with it").click()
    expect(page.locator("#result_list tbody tr")).to_have_count(2)
    support.look("audit")
    page.go_back()
    page.get_by_role("button", name="Resume").click()
    expect(page.get_by_text("1 account is resumed")).to_be_visible()
    assert MailAccount.objects.get(pk=account.pk).paused_at is None
    assert support.complaints == []


def test_the_dashboard_shows_all_at_a_glance_without_a_script(new_support: Callable[..., Person]) -> None:
    make_accounts(60)
    make_client(name="Contoso", secret_expires_on=timezone.localdate() + timedelta(days=12))
    some_days_and_hours()
    support = new_support(viewport=NARROW)
    page = support.page
    page.goto("/admin/mailaccounts/")
    page.get_by_role("link", name="Dashboard").click()
    expect(page.get_by_role("img", name="Accounts by sign-in, day by day")).to_be_visible()
    expect(page.locator('[aria-labelledby="kinds-title"] rect.series-xoauth2').last).to_be_visible()
    support.look("dashboard")
    page.get_by_text("Messages, hour by hour: the numbers").click()
    page.get_by_text("Accounts by state, day by day: the numbers").click()
    support.look("numbers")
    page.get_by_role("link", name="Nobody: it passes").click()
    expect(page.locator("#result_list")).to_contain_text("timeout")
    assert support.complaints == []
