"""The admin: to look at, without a secret, without mail, and the queue for superusers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.contrib import admin
from django.contrib.auth.models import Permission

from mailaccounts.models import Credential, Folder, Grant, MailAccount, OAuthClient
from tests.app.builders import make_account, make_credential, make_grant, make_user

if TYPE_CHECKING:
    from django.test import Client

pytestmark = pytest.mark.django_db

SECRETS = ("the-s3cret", "st4te", "t0ken", "client-s3cret")


@pytest.fixture
def staff(client: Client) -> Client:
    """Staff with every single permission, and yet no superuser."""
    user = make_user("staff")
    user.is_staff = True
    user.save()
    user.user_permissions.set(Permission.objects.all())
    client.force_login(user)
    return client


def test_every_page_of_the_admin_is_free_of_secrets(boss: Client) -> None:
    account = make_credential(secret="the-s3cret").account
    grant = make_grant()
    make_credential(account, grant=grant, backend="xoauth2", state="pending")
    rows = [("mailaccount", account.pk), ("grant", grant.pk), ("oauthclient", grant.client_id)]
    for model, pk in rows:
        for address in (f"/admin/mailaccounts/{model}/", f"/admin/mailaccounts/{model}/{pk}/change/"):
            response = boss.get(address)
            assert response.status_code == 200
            page = response.content.decode()
            assert not any(secret in page for secret in SECRETS)
            sealed = [
                *Credential.objects.filter(secret__isnull=False).values_list("secret", flat=True),
                *Grant.objects.values_list("state", flat=True),
                *OAuthClient.objects.values_list("client_secret", flat=True),
            ]
            assert not any(str(text) in page for text in sealed)


def test_names_of_folders_stay_with_their_owner(boss: Client) -> None:
    """What a sync is at names the folder it reads."""
    account = make_account(stage="Reading Divorce, 3 of 5")
    Folder.objects.create(account=account, name="Divorce")
    for address in ("/admin/mailaccounts/mailaccount/", f"/admin/mailaccounts/mailaccount/{account.pk}/change/"):
        assert "Divorce" not in boss.get(address).content.decode()


def test_nothing_of_ours_is_changed_in_the_admin(boss: Client) -> None:
    account = make_credential().account
    assert boss.get("/admin/mailaccounts/mailaccount/add/").status_code == 403
    assert boss.post(f"/admin/mailaccounts/mailaccount/{account.pk}/change/", {"imap_host": "x"}).status_code == 403
    assert boss.post(f"/admin/mailaccounts/mailaccount/{account.pk}/delete/", {"post": "yes"}).status_code == 403
    assert MailAccount.objects.get().imap_host == account.imap_host


def test_mail_is_not_in_the_admin() -> None:
    shown = {f"{model._meta.app_label}.{model.__name__}" for model in admin.site._registry}
    assert {name for name in shown if name.startswith("mailaccounts.")} == {
        "mailaccounts.AuditEntry",
        "mailaccounts.MailAccount",
        "mailaccounts.OAuthClient",
        "mailaccounts.Grant",
        "mailaccounts.TenantAccess",
        "mailaccounts.MigrationRun",
        "mailaccounts.Quarantined",
        "mailaccounts.Outgoing",
        "mailaccounts.BreakGlass",
        "mailaccounts.Alarm",
        "mailaccounts.WebhookDelivery",
    }
    assert "crm.TimelineEntry" not in shown


@pytest.mark.parametrize("model", ["schedule", "success", "failure", "ormq"])
def test_the_queue_is_for_superusers(boss: Client, model: str) -> None:
    assert boss.get(f"/admin/django_q/{model}/").status_code == 200


@pytest.mark.parametrize("model", ["schedule", "success", "failure", "ormq"])
def test_the_queue_is_closed_to_staff_with_every_permission(staff: Client, model: str) -> None:
    for address in (f"/admin/django_q/{model}/", f"/admin/django_q/{model}/add/"):
        assert staff.get(address).status_code == 403
    assert "django_q" not in staff.get("/admin/").content.decode().lower()


def test_contacts_are_managed_in_the_admin(staff: Client) -> None:
    rows = {"addresses-TOTAL_FORMS": 1, "addresses-INITIAL_FORMS": 0, "addresses-0-address": "Maria@customer.test"}
    data = {"name": "Maria", "company": "", **rows}
    assert staff.post("/admin/crm/contact/add/", data).status_code == 302
    assert "maria@customer.test" in staff.get("/admin/crm/contact/").content.decode()
