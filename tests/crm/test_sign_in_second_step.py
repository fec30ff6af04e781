"""The second step of signing in: an authenticator app, recovery codes, and no way around them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from django.core import mail
from django.core.cache import cache
from django.db import connection
from django.test import Client

from crm.sign_in.models import SecondFactorSecret
from tests.app.builders import make_user
from tests.crm.second_step import recovery_codes, set_up_app, shown_by_app

if TYPE_CHECKING:
    from pytest_django.fixtures import SettingsWrapper

pytestmark = pytest.mark.django_db

PASSWORD = "correct horse battery"
SECOND_STEP = "/accounts/2fa/authenticate/"
APP = "/accounts/2fa/totp/"


@pytest.fixture
def anna(settings: SettingsWrapper) -> Any:
    settings.REAUTHENTICATE_AFTER = 3600
    user = make_user("anna")
    user.set_password(PASSWORD)
    user.save()
    return user


@pytest.fixture
def signed_in(client: Client, anna: Any) -> Client:
    assert type_password(client)["Location"] == "/contacts/"
    return client


def type_password(client: Client, **more: str) -> Any:
    return client.post("/accounts/login/", {"login": "anna", "password": PASSWORD, **more})


def is_signed_in(client: Client) -> bool:
    return client.get("/contacts/").status_code == 200


def elsewhere() -> Client:
    """Another browser, half a minute later: codes of before are not remembered any more."""
    cache.clear()
    return Client()


def test_once_set_up_the_code_of_the_app_is_asked_for(signed_in: Client) -> None:
    secret = set_up_app(signed_in)
    browser = elsewhere()
    assert type_password(browser)["Location"] == SECOND_STEP
    assert not is_signed_in(browser)
    assert "isn&#x27;t right" in browser.post(SECOND_STEP, {"code": "000000"}).content.decode()
    assert not is_signed_in(browser)
    assert browser.post(SECOND_STEP, {"code": shown_by_app(secret)})["Location"] == "/contacts/"
    assert is_signed_in(browser)


def test_where_somebody_wanted_to_go_survives_the_second_step(signed_in: Client) -> None:
    secret = set_up_app(signed_in)
    browser = elsewhere()
    type_password(browser, next="/inbox/")
    assert browser.post(SECOND_STEP, {"code": shown_by_app(secret)})["Location"] == "/inbox/"


def test_a_code_opens_once(signed_in: Client) -> None:
    secret = set_up_app(signed_in)
    first, second = elsewhere(), Client()
    code = shown_by_app(secret)
    for browser in (first, second):
        type_password(browser)
    assert first.post(SECOND_STEP, {"code": code}).status_code == 302
    assert second.post(SECOND_STEP, {"code": code}).status_code == 200
    assert not is_signed_in(second)


def test_a_recovery_code_opens_once(signed_in: Client) -> None:
    set_up_app(signed_in)
    codes = recovery_codes(signed_in)
    assert len(codes) == 10
    assert signed_in.get("/accounts/2fa/recovery-codes/download/").content.decode().split()[-10:] == codes
    for expected in (302, 200):
        browser = elsewhere()
        type_password(browser)
        assert browser.post(SECOND_STEP, {"code": codes[0]}).status_code == expected
    assert recovery_codes(signed_in) == codes[1:]


def test_new_recovery_codes_end_the_old_ones(signed_in: Client) -> None:
    set_up_app(signed_in)
    old = recovery_codes(signed_in)
    signed_in.post("/accounts/2fa/recovery-codes/generate/")
    assert not set(old) & set(recovery_codes(signed_in))
    assert SecondFactorSecret.objects.count() == 2  # the app's and the new codes'


def test_guesses_come_to_an_end(signed_in: Client) -> None:
    secret = set_up_app(signed_in)
    browser = elsewhere()
    type_password(browser)
    for _ in range(5):
        browser.post(SECOND_STEP, {"code": "000000"})
    assert (
        "Too many failed login attempts" in browser.post(SECOND_STEP, {"code": shown_by_app(secret)}).content.decode()
    )
    assert not is_signed_in(browser)


def test_an_unverified_address_keeps_nobody_from_protecting_their_account(signed_in: Client, anna: Any) -> None:
    EmailAddress.objects.create(user=anna, email="anna@example.test", verified=False, primary=True)
    set_up_app(signed_in)


def test_somebody_deactivated_cant_come_in_with_the_password(client: Client, anna: Any) -> None:
    anna.is_active = False
    anna.save()
    assert type_password(client)["Location"] == "/accounts/inactive/"
    assert not is_signed_in(client)


def test_a_password_set_anew_by_mail_leads_to_the_second_step_as_any_other(signed_in: Client, anna: Any) -> None:
    set_up_app(signed_in)
    anna.email = "anna@work.test"
    anna.save()
    browser = elsewhere()
    browser.post("/accounts/password/reset/", {"email": anna.email})
    (link,) = re.findall(r"http://testserver(/accounts/password/reset/key/\S+)", mail.outbox[0].body)
    page = browser.get(link)["Location"]
    done = browser.post(page, {"password1": "another horse battery", "password2": "another horse battery"})
    assert done["Location"] == "/accounts/password/reset/key/done/"
    assert browser.get("/contacts/").status_code == 302
    anna.refresh_from_db()
    assert anna.check_password("another horse battery")
    asked = browser.post("/accounts/login/", {"login": "anna", "password": "another horse battery"})["Location"]
    assert asked.startswith("/accounts/2fa/authenticate/")
    assert browser.get("/contacts/").status_code == 302


def test_the_second_step_alone_leads_nowhere(client: Client, anna: Any) -> None:
    assert client.get(SECOND_STEP)["Location"] == "/accounts/login/"
    assert client.post(SECOND_STEP, {"code": "123456"})["Location"] == "/accounts/login/"


def test_the_admin_has_no_way_in_of_its_own(client: Client, anna: Any) -> None:
    anna.is_staff = anna.is_superuser = True
    anna.save()
    there = client.get("/admin/")["Location"]
    assert client.get(there)["Location"] == "/accounts/login/?next=%2Fadmin%2F"
    assert client.post(there, {"username": "anna", "password": PASSWORD})["Location"].startswith("/accounts/login/")
    assert "_auth_user_id" not in client.session


def test_somebody_deactivated_during_the_second_step_stays_outside(signed_in: Client, anna: Any) -> None:
    secret = set_up_app(signed_in)
    browser = elsewhere()
    type_password(browser)
    anna.is_active = False
    anna.save()
    assert browser.post(SECOND_STEP, {"code": shown_by_app(secret)})["Location"] == "/accounts/inactive/"
    assert "deactivated" in browser.get("/accounts/inactive/").content.decode()
    assert "_auth_user_id" not in browser.session


def test_secrets_are_sealed(signed_in: Client) -> None:
    secret = set_up_app(signed_in)
    with connection.cursor() as cursor:
        cursor.execute("SELECT data FROM mfa_authenticator")
        rows = [str(row) for row in cursor.fetchall()]
        cursor.execute("SELECT text FROM sign_in_secondfactorsecret")
        sealed = [row[0] for row in cursor.fetchall()]
    assert len(rows) == len(sealed) == 2
    assert not any(secret in row for row in rows)
    assert all(text.startswith("v1.") for text in sealed)


def test_an_app_that_is_turned_off_takes_its_secrets_along(signed_in: Client) -> None:
    set_up_app(signed_in)
    assert signed_in.post(APP + "deactivate/")["Location"] == "/accounts/2fa/"
    assert not Authenticator.objects.exists()
    assert not SecondFactorSecret.objects.exists()
    assert type_password(elsewhere())["Location"] == "/contacts/"


@pytest.mark.parametrize(
    "page",
    ["totp/activate/", "webauthn/add/", "recovery-codes/generate/"],
)
def test_before_the_means_are_changed_the_password_is_asked_for(client: Client, anna: Any, page: str) -> None:
    client.force_login(anna)
    asked = client.get(f"/accounts/2fa/{page}")["Location"]
    assert asked == f"/accounts/reauthenticate/?next=%2Faccounts%2F2fa%2F{page.replace('/', '%2F')}"
    assert client.post(asked, {"password": PASSWORD})["Location"] == f"/accounts/2fa/{page}"
    assert client.get(f"/accounts/2fa/{page}").status_code == 200


def test_a_code_confirms_where_there_is_no_password(signed_in: Client, anna: Any) -> None:
    secret = set_up_app(signed_in)
    anna.set_unusable_password()
    anna.save()
    browser = elsewhere()
    browser.force_login(anna)
    there = "/settings/email-accounts/connect/?with=app_password"
    asked = browser.get(there)["Location"]
    assert asked.startswith("/accounts/2fa/reauthenticate/?next=")
    assert "isn&#x27;t right" in browser.post(asked, {"code": "000000"}).content.decode()
    assert browser.post(asked, {"code": shown_by_app(secret)})["Location"] == there
    assert browser.get(there).status_code == 200


@pytest.mark.parametrize("page", ["edit", "remove"])
def test_somebody_elses_passkey_isnt_there(signed_in: Client, page: str) -> None:
    key = Authenticator.objects.create(
        user=make_user("ben"), type="webauthn", data={"name": "Ben's", "credential": {}}
    )
    there = f"/accounts/2fa/webauthn/keys/{key.pk}/{page}/"
    assert signed_in.get(there).status_code == signed_in.post(there, {"name": "Mine"}).status_code == 404
    assert Authenticator.objects.get(pk=key.pk).data["name"] == "Ben's"


def test_a_password_is_set_only_by_somebody_who_showed_lately_who_they_are(signed_in: Client, anna: Any) -> None:
    set_up_app(signed_in)
    anna.set_unusable_password()
    anna.save()
    browser = elsewhere()
    browser.force_login(anna)
    assert browser.get("/accounts/password/set/")["Location"].startswith("/accounts/2fa/reauthenticate/?next=")


def test_one_page_tells_by_what_means_somebody_signs_in(signed_in: Client) -> None:
    before = signed_in.get("/settings/security/").content.decode()
    assert "Set up" in before
    assert "Recovery codes" not in before
    set_up_app(signed_in)
    after = signed_in.get("/accounts/2fa/", follow=True).content.decode()
    assert "Turn off" in after
    assert "10 left, for when your phone or key is lost." in after
    assert Client().get("/settings/security/")["Location"].startswith("/accounts/login/")
