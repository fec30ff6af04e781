"""Linking, unlinking and confirming with identities; the second step and deactivation hold for them too."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest
from allauth.socialaccount.models import SocialAccount

from tests.app.builders import make_user
from tests.crm.at_provider import PASSWORD, Visitor, code, text
from tests.crm.second_step import set_up_app, shown_by_app
from tests.crm.sessions import shown_long_ago

if TYPE_CHECKING:
    from pytest_django.fixtures import SettingsWrapper

pytestmark = pytest.mark.django_db


def test_the_second_step_is_asked_for_after_an_identity_too(linked: Visitor) -> None:
    linked.type_password()
    secret = set_up_app(linked.browser)
    linked.sign_out()
    assert linked.sign_in("microsoft", next="/inbox/")["Location"] == "/accounts/2fa/authenticate/"
    assert not linked.is_signed_in
    done = linked.browser.post("/accounts/2fa/authenticate/", {"code": shown_by_app(secret)})
    assert done["Location"] == "/inbox/"


def test_an_address_links_nothing_before_the_second_step_is_done(
    visitor: Visitor, anna: Any, settings: SettingsWrapper
) -> None:
    settings.SIGN_IN_BY_EMAIL = ["oidc"]
    anna.email = visitor.mailbox.address
    anna.save()
    visitor.type_password()
    secret = set_up_app(visitor.browser)
    visitor.sign_out()
    assert visitor.sign_in("oidc")["Location"] == "/accounts/2fa/authenticate/"
    assert not SocialAccount.objects.exists()
    visitor.browser.post("/accounts/2fa/authenticate/", {"code": shown_by_app(secret)})
    assert SocialAccount.objects.get().user == anna


def test_a_deactivated_user_comes_in_by_no_identity(linked: Visitor, anna: Any, settings: SettingsWrapper) -> None:
    settings.SIGN_IN_BY_EMAIL = ["oidc"]
    anna.email, anna.is_active = linked.mailbox.address, False
    anna.save()
    for provider in ("microsoft", "oidc"):
        assert linked.sign_in(provider)["Location"] == "/accounts/inactive/"
        assert not linked.is_signed_in
    assert SocialAccount.objects.count() == 1


def test_linking_wants_to_know_first_who_sits_there(visitor: Visitor, anna: Any) -> None:
    visitor.type_password()
    shown_long_ago()
    asked = visitor.leave("microsoft", process="connect")["Location"]
    assert asked.startswith("/accounts/reauthenticate/?next=")
    back = visitor.browser.post(asked, {"password": PASSWORD})["Location"]
    assert "Link an account" in text(visitor.browser.get(back + "?process=connect"))
    assert visitor.sign_in("microsoft", process="connect")["Location"] == "/accounts/3rdparty/"


def test_unlinking_wants_to_know_first_who_sits_there(linked: Visitor) -> None:
    linked.type_password()
    shown_long_ago()
    form = {"account": str(SocialAccount.objects.get().pk)}
    asked = linked.browser.post("/accounts/3rdparty/", form)["Location"]
    assert asked.startswith("/accounts/reauthenticate/")
    assert SocialAccount.objects.exists()
    linked.browser.post(asked, {"password": PASSWORD})
    assert not SocialAccount.objects.exists()
    linked.sign_out()
    assert linked.sign_in("microsoft").status_code == 403


def test_an_identity_of_somebody_else_cant_be_linked_nor_unlinked(linked: Visitor, stranger: Visitor) -> None:
    ben = make_user("ben")
    thief = Visitor(linked.mailbox)
    thief.browser.force_login(ben)
    thief.sign_in("microsoft", process="connect")
    assert "linked with somebody else" in text(thief.browser.get("/accounts/3rdparty/"))
    account = SocialAccount.objects.get()
    assert account.user != ben
    thief.browser.post("/accounts/3rdparty/", {"account": str(account.pk)})
    assert SocialAccount.objects.filter(pk=account.pk).exists()


def test_the_last_means_of_somebody_without_a_password_stays(
    linked: Visitor, anna: Any, settings: SettingsWrapper
) -> None:
    linked.link("google")
    anna.set_unusable_password()
    anna.save()
    linked.sign_out()
    linked.sign_in("microsoft")
    google, microsoft = (SocialAccount.objects.get(provider=provider) for provider in ("google", "microsoft"))
    settings.SIGN_IN_WITH = ["microsoft"]
    page = linked.browser.post("/accounts/3rdparty/", {"account": str(microsoft.pk)})
    assert "couldn&#x27;t sign in any more" in text(page)
    assert "can't be used any more" in text(page)  # Google, which isn't offered now
    linked.browser.post("/accounts/3rdparty/", {"account": str(google.pk)})
    page = linked.browser.post("/accounts/3rdparty/", {"account": str(microsoft.pk)})
    assert "couldn&#x27;t sign in any more" in text(page)
    assert SocialAccount.objects.get() == microsoft


def test_a_linked_identity_confirms_where_there_is_nothing_else(linked: Visitor, anna: Any) -> None:
    anna.set_unusable_password()
    anna.save()
    linked.sign_in("microsoft")
    shown_long_ago()
    there = "/settings/email-accounts/connect/?address=anna%40sandbox.test"
    asked = linked.browser.get(there)["Location"]
    assert asked.startswith("/accounts/reauthenticate/identity/?next=")
    assert "Sign in at Microsoft once more" in text(linked.browser.get(asked))
    left = linked.leave("microsoft", process="confirm", next=there)["Location"]
    query = parse_qs(urlsplit(left).query)
    assert (query["prompt"], query["login_hint"]) == (["login"], [linked.mailbox.address])
    assert linked.come_back("microsoft", linked.answer(left))["Location"] == there
    assert linked.browser.get(there).status_code == 200


def test_another_identity_confirms_nothing(linked: Visitor, stranger: Visitor) -> None:
    linked.type_password()
    shown_long_ago()
    left = linked.leave("microsoft", process="confirm", next="/inbox/")["Location"]
    page = linked.come_back("microsoft", stranger.answer(left))
    assert page.status_code == 403
    assert "isn't linked with your account" in text(page)
    assert linked.browser.get("/settings/email-accounts/connect/").status_code == 302


def test_a_provider_that_didnt_ask_again_confirms_nothing(linked: Visitor) -> None:
    linked.type_password()
    shown_long_ago()
    linked.mailbox.sandbox.idp.faults.falsify_id_tokens(auth_time=1_000_000_000)
    assert code(linked.sign_in("microsoft", process="confirm")) == "not_asked_again"
    assert linked.browser.get("/settings/email-accounts/connect/").status_code == 302
