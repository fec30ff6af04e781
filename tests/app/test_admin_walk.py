"""A walk through every page of the app's admin: whoever comes along sees what they may, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from django.contrib import admin
from django.urls import NoReverseMatch, reverse
from django.utils import timezone

from mailaccounts.models import Alarm, MigrationRun, WebhookDelivery
from tests.app.builders import (
    make_client,
    make_credential,
    make_grant,
    make_opening,
    make_outgoing,
    make_quarantined,
    make_user,
)
from tests.app.campaigns import lets_in
from tests.app.crowd import make_entries
from tests.app.staff import make_staff
from tests.app.test_admin_lists import SUPPORT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.test import Client

pytestmark = pytest.mark.django_db

AUDITOR = ("view_mailaccount", "view_auditentry", "view_grant", "view_tenantaccess", "view_breakglass")


@pytest.fixture
def rows() -> dict[str, Any]:
    """One row of each model that is in the admin."""
    account = make_credential().account
    make_entries(1, account)
    client = make_client()
    return {
        "mailaccount": account,
        "oauthclient": client,
        "grant": make_grant(client),
        "tenantaccess": lets_in(client),
        "migrationrun": MigrationRun.objects.create(to="xoauth2", client=client),
        "quarantined": make_quarantined(account),
        "outgoing": make_outgoing(account),
        "breakglass": make_opening(account),
        "alarm": Alarm.objects.create(kind="broker", words="It is away.", since=timezone.now()),
        "webhookdelivery": WebhookDelivery.objects.create(event="alarm.raised"),
        "auditentry": account._meta.apps.get_model("mailaccounts.AuditEntry").objects.get(),
    }


def pages(rows: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Each page of each model: the model's name, the page's own, its address."""
    for model, options in admin.site._registry.items():
        if model._meta.app_label != "mailaccounts":
            continue
        row = rows[model._meta.model_name]
        for pattern in options.get_urls():
            if not pattern.name:
                continue
            name = f"admin:{pattern.name}"
            yield model._meta.model_name, pattern.name.rpartition("_")[2], _address(name, row)


def _address(name: str, row: Any) -> str:
    try:
        return reverse(name)
    except NoReverseMatch:
        return reverse(name, args=[row.pk])


def seen(client: Client, rows: dict[str, Any]) -> dict[tuple[str, str], int]:
    return {(model, page): client.get(address).status_code for model, page, address in pages(rows)}


def opened(statuses: dict[tuple[str, str], int]) -> set[tuple[str, str]]:
    return {page for page, status in statuses.items() if status in {200, 302}}


def test_nobody_but_staff_sees_any_of_it(client: Client, rows: dict[str, Any]) -> None:
    for user in (None, make_user("plain"), rows["mailaccount"].owner):
        if user:
            client.force_login(user)
        for _, _, address in pages(rows):
            response = client.get(address)
            assert response.status_code == 302, address
            assert "/admin/login/" in response["Location"], address


def test_staff_without_a_permission_see_none_of_it(client: Client, rows: dict[str, Any]) -> None:
    client.force_login(make_staff("staff"))
    assert opened(seen(client, rows)) == set()
    assert "mailaccounts" not in client.get("/admin/").content.decode()


def test_an_auditor_looks_and_presses_nothing(client: Client, rows: dict[str, Any]) -> None:
    client.force_login(make_staff("auditor", *AUDITOR))
    found = opened(seen(client, rows))
    allowed = {each.removeprefix("view_") for each in AUDITOR}
    assert {model for model, _ in found} == allowed
    assert {page for _, page in found} == {"changelist", "change", "history", "dashboard"}


def test_support_looks_at_everything_and_works_with_accounts(client: Client, rows: dict[str, Any]) -> None:
    client.force_login(make_staff("support", *SUPPORT))
    found = opened(seen(client, rows))
    assert {model for model, _ in found} == set(rows) - {"breakglass"}
    others = {page for _, page in found if page not in {"changelist", "change", "history"}}
    off_boarding = {"board", "receipts"}  # the documents name its permission for support
    assert others == {"dashboard", "probe"} | off_boarding


def test_a_superuser_changes_what_can_be_changed(boss: Client, rows: dict[str, Any]) -> None:
    found = opened(seen(boss, rows))
    assert {model for model, page in found if page == "add"} == {"oauthclient", "tenantaccess"}
    assert {model for model, page in found if page == "delete"} <= {"oauthclient"}
    assert {("mailaccount", "dashboard"), ("mailaccount", "probe")} <= found
