"""Signing in at an identity provider: linked identities come in, all others stay outside."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest
from allauth.account.models import EmailAddress
from allauth.socialaccount.models import SocialAccount, SocialToken
from django.contrib.auth import get_user_model
from django.contrib.sessions.models import Session
from django.core.exceptions import ImproperlyConfigured
from django.test import Client

from crm.environment import Environment
from tests.crm.at_provider import PROVIDERS, text

if TYPE_CHECKING:
    from pytest_django.fixtures import SettingsWrapper

    from tests.crm.at_provider import Visitor

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_linked_identity_signs_in(visitor: Visitor, anna: Any, provider: str) -> None:
    visitor.link(provider)
    assert "is linked" in text(visitor.browser.get("/accounts/3rdparty/"))
    assert visitor.mailbox.address in text(visitor.browser.get("/settings/security/"))
    visitor.sign_out()
    assert not visitor.is_signed_in
    assert visitor.sign_in(provider, next="/inbox/")["Location"] == "/inbox/"
    assert visitor.is_signed_in


@pytest.mark.parametrize("provider", PROVIDERS)
def test_only_name_and_address_are_asked_for_with_everything_that_binds_the_answer(
    visitor: Visitor, provider: str
) -> None:
    url = visitor.leave(provider, scope="https://mail.google.com/", auth_params="access_type=offline")["Location"]
    asked = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
    assert asked.keys() == {
        "response_type", "client_id", "redirect_uri", "scope", "state", "nonce", "code_challenge",
        "code_challenge_method",
    }  # fmt: skip
    assert asked["scope"] == "openid profile email"
    assert asked["code_challenge_method"] == "S256"
    assert asked["redirect_uri"] == f"http://localhost/accounts/oidc/{provider}/login/callback/"


def test_nothing_that_opens_anything_is_kept(linked: Visitor) -> None:
    linked.sign_in("microsoft")
    account = SocialAccount.objects.get()
    assert account.extra_data.keys() == {"issuer", "subject", "address", "email", "proven", "name"}
    assert not SocialToken.objects.exists()
    kept = " ".join(str(row.get_decoded()) for row in Session.objects.all())
    assert "eyJ" not in kept  # how a JWT begins


def test_an_identity_nobody_linked_stays_outside_and_is_told_what_to_do(visitor: Visitor, anna: Any) -> None:
    anna.email = visitor.mailbox.address
    anna.save()
    page = visitor.sign_in("microsoft")
    assert page.status_code == 403
    assert visitor.mailbox.address in text(page)
    assert "link the account under Settings" in text(page)
    assert not visitor.is_signed_in
    assert not SocialAccount.objects.exists()


def test_with_open_registration_somebody_new_becomes_a_user(visitor: Visitor, settings: SettingsWrapper) -> None:
    settings.SIGNUP_OPEN = True
    assert visitor.sign_in("oidc")["Location"] == "/contacts/"
    user = get_user_model().objects.get()
    assert (user.email, user.has_usable_password()) == (visitor.mailbox.address, False)
    assert not EmailAddress.objects.get().verified  # the operator doesn't take this provider's word


def test_registered_providers_are_offered_unless_the_operator_says_less(
    visitor: Visitor, settings: SettingsWrapper
) -> None:
    page = text(visitor.browser.get("/accounts/login/"))
    assert [f"/accounts/oidc/{slug}/login/" in page for slug in PROVIDERS] == [True, True, True]
    settings.SIGN_IN_WITH = ["google"]
    page = text(visitor.browser.get("/accounts/login/"))
    assert [f"/accounts/oidc/{slug}/login/" in page for slug in PROVIDERS] == [False, True, False]
    assert visitor.leave("microsoft").status_code == 404
    assert visitor.come_back("oidc", {"code": "x", "state": "y"}).status_code == 404
    settings.MAILACCOUNTS = {**settings.MAILACCOUNTS, "CLIENTS": {}}
    assert "/accounts/oidc/" not in text(visitor.browser.get("/accounts/login/"))


def test_only_a_form_of_ours_leads_to_a_provider(visitor: Visitor) -> None:
    assert "Go on to Microsoft" in text(visitor.browser.get("/accounts/oidc/microsoft/login/"))
    strict = Client(enforce_csrf_checks=True, headers={"host": "localhost"})
    assert strict.post("/accounts/oidc/microsoft/login/").status_code == 403


def test_leaving_for_a_provider_counts_as_an_attempt_to_sign_in(visitor: Visitor, settings: SettingsWrapper) -> None:
    settings.ACCOUNT_RATE_LIMITS = {"login": "2/m/ip"}
    assert [visitor.leave("microsoft").status_code for _ in range(3)] == [302, 302, 429]
    assert "Too many attempts" in text(visitor.leave("google"))


def test_a_provider_that_nobody_knows_is_refused_when_the_settings_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGN_IN_WITH", "microsoft, facebook")
    with pytest.raises(ImproperlyConfigured, match="SIGN_IN_WITH names 'facebook', which is none of microsoft"):
        Environment().some_of("SIGN_IN_WITH", PROVIDERS)
