"""Settings → Security → Your addresses: where a link is sent when the password is forgotten."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from allauth.account.models import EmailAddress

from tests.app.builders import make_user

if TYPE_CHECKING:
    from django.test import Client

pytestmark = pytest.mark.django_db
ADDRESSES = "/accounts/email/"


def test_an_address_is_added_and_removed_where_security_leads_to(client: Client) -> None:
    client.force_login(make_user())
    assert f'href="{ADDRESSES}"' in client.get("/settings/security/").content.decode()
    for address in ("first@example.com", "second@example.com"):
        client.post(ADDRESSES, {"email": address, "action_add": ""})
    page = client.get(ADDRESSES).content.decode()
    assert page.count("Not confirmed yet") == 2
    client.post(ADDRESSES, {"email": "second@example.com", "action_remove": ""})
    assert list(EmailAddress.objects.values_list("email", flat=True)) == ["first@example.com"]


def test_only_a_confirmed_address_can_be_the_one_that_is_written_to(client: Client) -> None:
    user = make_user()
    client.force_login(user)
    EmailAddress.objects.create(user=user, email="first@example.com", verified=True, primary=True)
    second = EmailAddress.objects.create(user=user, email="second@example.com", verified=True)
    EmailAddress.objects.create(user=user, email="third@example.com")
    page = client.get(ADDRESSES).content.decode()
    assert page.count('name="action_primary"') == page.count('name="action_send"') == 1
    client.post(ADDRESSES, {"email": second.email, "action_primary": ""})
    assert EmailAddress.objects.get(primary=True) == second


def test_the_administration_is_a_click_away_for_staff_only(client: Client) -> None:
    for staff in (False, True):
        user = make_user()
        user.is_staff = staff
        user.save()
        client.force_login(user)
        assert ('href="/admin/"' in client.get("/settings/security/").content.decode()) is staff
