"""Administrators see by what means people sign in, take one away when a phone is lost, and learn no secret."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount

from tests.app.builders import make_user
from tests.crm.second_step import set_up_app

if TYPE_CHECKING:
    from django.test import Client

pytestmark = pytest.mark.django_db


@pytest.fixture
def boss(client: Client) -> Any:
    user = make_user("boss")
    user.is_staff = user.is_superuser = True
    user.save()
    client.force_login(user)
    return client


def test_a_lost_phone_is_taken_out_and_shows_no_secret(boss: Client) -> None:
    secret = set_up_app(boss)
    app = Authenticator.objects.get(type="totp")
    there = f"/admin/mfa/authenticator/{app.pk}/"
    for page in ("/admin/mfa/authenticator/", f"{there}change/"):
        text = boss.get(page).content.decode()
        assert "boss" in text
        assert secret not in text
        assert app.data["secret"] not in text
    assert boss.post(f"{there}change/", {"type": "webauthn"}).status_code == 403
    assert boss.post(f"{there}delete/", {"post": "yes"}).status_code == 302
    assert not Authenticator.objects.filter(type="totp").exists()


def test_a_linked_identity_can_be_taken_away_and_not_given_to_somebody_else(boss: Client) -> None:
    owner = make_user("anna")
    identity = SocialAccount.objects.create(
        user=owner, provider="microsoft", uid="u1d", extra_data={"address": "anna@example.test", "subject": "s"}
    )
    there = f"/admin/socialaccount/socialaccount/{identity.pk}/"
    for page in ("/admin/socialaccount/socialaccount/", f"{there}change/"):
        text = boss.get(page).content.decode()
        assert "anna@example.test" in text
        assert "u1d" not in text
    assert boss.post(f"{there}change/", {"user": "1", "uid": "u1d"}).status_code == 403
    assert boss.post(f"{there}delete/", {"post": "yes"}).status_code == 302
    assert not SocialAccount.objects.exists()
    for model in ("socialapp", "socialtoken"):
        assert boss.get(f"/admin/socialaccount/{model}/").status_code == 404
