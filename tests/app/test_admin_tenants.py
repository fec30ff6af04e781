"""Organisations in the admin: who may do what, and what the pages say without asking anybody."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from django.contrib.auth.models import Permission
from django.test import Client as DjangoClient

from mailaccounts.models import ConsentAttempt, OAuthClient, TenantAccess
from tests.app.builders import make_client, make_user
from tests.app.organisations import let_in, registered
from tests.sandbox_fixtures import new_user

if TYPE_CHECKING:
    from django.test import Client

    from mailaccounts.testing.sandbox import Sandbox

pytestmark = pytest.mark.django_db(transaction=True)

LIST = "/admin/mailaccounts/tenantaccess/"
WORK = ("canary", "check", "off")


def staff(client: Client, *permissions: str) -> Any:
    """Somebody at the admin who may do this and nothing else."""
    user = make_user("staff")
    user.is_staff = True
    user.save()
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    client.force_login(user)
    return user


@pytest.fixture
def access(world: Sandbox) -> TenantAccess:
    return let_in(registered(world.idp), world.idp)


def test_without_the_permission_nothing_is_seen_or_done(client: Client, access: TenantAccess) -> None:
    staff(client)
    page = f"{LIST}{access.pk}/change/"
    for address in (LIST, page, f"{LIST}add/"):
        assert client.get(address).status_code == 403
    for what in WORK:
        assert client.post(f"{LIST}{access.pk}/{what}/").status_code == 403
    assert client.post("/oauth/admin-consent/", {"client": access.client_id}).status_code == 403
    assert client.get("/oauth/microsoft/admin-consent/", {"state": "x"}).status_code == 403
    access.refresh_from_db()
    assert access.is_on


def test_who_may_look_may_do_nothing(client: Client, access: TenantAccess) -> None:
    staff(client, "view_tenantaccess")
    page = client.get(f"{LIST}{access.pk}/change/").content.decode()
    assert "Access is on" in page
    assert "Switch access off" not in page
    assert "Try to open it" not in page
    for what in WORK:
        assert client.post(f"{LIST}{access.pk}/{what}/").status_code == 403


def test_allowing_it_for_a_registration_takes_the_permission_for_registrations(client: Client, world: Sandbox) -> None:
    row = registered(world.idp, app_only=False)
    staff(client, "add_tenantaccess", "view_tenantaccess")
    assert client.post(f"{LIST}add/", {"client": row.pk, "allow": "1"}).status_code == 403
    assert not OAuthClient.objects.get(pk=row.pk).app_only


def test_somebody_who_is_no_staff_never_gets_there(client: Client, access: TenantAccess) -> None:
    user = make_user("anna")
    user.user_permissions.set(Permission.objects.filter(codename="add_tenantaccess"))
    client.force_login(user)
    assert client.post("/oauth/admin-consent/", {"client": access.client_id}).status_code == 403
    assert not ConsentAttempt.objects.exists()


def test_an_answer_that_this_browser_did_not_leave_for_is_refused(client: Client, access: TenantAccess) -> None:
    staff(client, "add_tenantaccess", "view_tenantaccess")
    address = "/oauth/microsoft/admin-consent/"
    params = {"admin_consent": "True", "tenant": access.tenant, "state": "made-up"}
    response = client.get(address, params, follow=True)
    assert "This sign-in is no longer valid" in response.content.decode()
    assert response.redirect_chain == [(f"{LIST}add/", 302)]


def test_an_answer_counts_in_the_browser_that_left_for_it(client: Client, world: Sandbox) -> None:
    """Somebody else's browser, signed in as the same user, can't be made to finish what it didn't begin."""
    row = registered(world.idp)
    user = staff(client, "add_tenantaccess", "view_tenantaccess")
    administrator = world.idp.person(world.add_user(replace(new_user(), is_admin=True)))
    left = client.post("/oauth/admin-consent/", {"client": row.pk}, headers={"host": "localhost"})
    params = administrator.consent(left["Location"])
    elsewhere = DjangoClient()
    elsewhere.force_login(user)
    address = "/oauth/microsoft/admin-consent/"
    response = elsewhere.get(address, params, headers={"host": "localhost"}, follow=True)
    assert "This sign-in is no longer valid" in response.content.decode()

    on = client.get(address, params, headers={"host": "localhost"})
    assert "/v2.0/adminconsent?" in on["Location"]
    back = client.get(address, administrator.consent(on["Location"]), headers={"host": "localhost"})
    access = TenantAccess.objects.get()
    assert back["Location"] == f"{LIST}{access.pk}/change/"
    assert (back["Referrer-Policy"], access.client) == ("no-referrer", row)


def test_pages_ask_nobody(client: Client, access: TenantAccess, world: Sandbox) -> None:
    """A provider out of order keeps nobody from reading what is known."""
    world.idp.faults.fail(endpoint="*", times=-1)
    registered(world.idp, "google")
    staff(client, "add_tenantaccess", "view_tenantaccess", "change_tenantaccess")
    for address in (LIST, f"{LIST}{access.pk}/change/", f"{LIST}add/"):
        assert client.get(address).status_code == 200


@pytest.mark.parametrize("code", ["", "canary_opened", "roles_missing", "admin_approval_needed", "no_such_code"])
def test_each_reason_for_being_off_has_words(client: Client, access: TenantAccess, code: str) -> None:
    TenantAccess.objects.update(is_on=False, code=code)
    staff(client, "view_tenantaccess")
    page = client.get(f"{LIST}{access.pk}/change/").content.decode()
    assert "Access is off." in page
    assert "{" not in page.partition("Access is off.")[2].partition("</p>")[0]
    assert client.get(LIST).status_code == 200


def test_a_registration_without_such_access_is_no_candidate(client: Client, world: Sandbox) -> None:
    make_client(provider="oidc", name="Somewhere", app_only=True)
    staff(client, "add_tenantaccess", "view_tenantaccess")
    page = client.get(f"{LIST}add/").content.decode()
    assert "Somewhere" not in page


def test_google_is_told_who_we_are_and_what_for(client: Client, world: Sandbox) -> None:
    registered(world.idp, "google", name="Workspace")
    staff(client, "add_tenantaccess", "view_tenantaccess")
    page = client.get(f"{LIST}add/").content.decode()
    assert "100000000000000000001" in page  # the service account's number, not the client id of a consent
    assert ">https://mail.google.com/<" in page
