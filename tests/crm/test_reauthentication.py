"""Changing how a mailbox is reached takes a password typed lately."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from allauth.account.models import EmailAddress

from tests.app.builders import make_credential, make_user

if TYPE_CHECKING:
    from django.test import Client
    from pytest_django.fixtures import SettingsWrapper

    from mailaccounts.models import MailAccount

pytestmark = pytest.mark.django_db

PASSWORD = "correct horse battery"
ACCOUNTS = "/settings/email-accounts/"


@pytest.fixture
def anna(settings: SettingsWrapper) -> Any:
    settings.REAUTHENTICATE_AFTER = 3600
    user = make_user("anna")
    user.set_password(PASSWORD)
    user.save()
    return user


@pytest.fixture
def account(anna: Any) -> MailAccount:
    account = make_credential().account
    account.owner = anna
    account.save()
    return account


@pytest.mark.parametrize("page", ["switch", "reconnect", "disconnect", "servers", "allow-sending"])
def test_a_password_typed_long_ago_is_asked_for_again(
    client: Client, anna: Any, account: MailAccount, page: str
) -> None:
    client.force_login(anna)
    there = f"{ACCOUNTS}{account.pk}/{page}/"
    asked = f"/accounts/reauthenticate/?next={there.replace('/', '%2F')}"
    assert client.get(there)["Location"] == asked
    assert client.post(there, {"offer": "any"})["Location"] == asked
    assert client.post(asked, {"password": PASSWORD})["Location"] == there
    assert client.get(there).status_code in {200, 302}
    assert "reauthenticate" not in client.get(there).headers.get("Location", "")


@pytest.mark.parametrize("what", ["action_add", "action_primary", "action_remove"])
def test_so_it_is_before_a_password_could_be_reset_by_mail_to_another_address(
    client: Client, anna: Any, what: str
) -> None:
    row = EmailAddress.objects.create(user=anna, email="anna@work.test")
    client.force_login(anna)
    address = "thief@evil.test" if what == "action_add" else row.email
    asked = client.post("/accounts/email/", {what: "", "email": address})["Location"]
    assert asked == "/accounts/reauthenticate/?next=%2Faccounts%2Femail%2F"
    assert list(EmailAddress.objects.values_list("email", "primary")) == [(row.email, False)]


def test_a_password_typed_lately_is_enough(client: Client, anna: Any) -> None:
    client.post("/accounts/login/", {"login": "anna", "password": PASSWORD})
    assert client.get(f"{ACCOUNTS}connect/").status_code == 200


def test_looking_needs_no_second_password(client: Client, anna: Any, account: MailAccount) -> None:
    client.force_login(anna)
    for page in ("", f"{account.pk}/"):
        assert client.get(ACCOUNTS + page).status_code == 200


def test_what_was_typed_into_the_form_is_not_kept_meanwhile(client: Client, anna: Any) -> None:
    client.force_login(anna)
    response = client.post(f"{ACCOUNTS}connect/", {"address": "a@b.test", "password": "the-s3cret"}, follow=True)
    assert "Confirm that it is you, then fill in the form once more." in response.content.decode()
    assert "the-s3cret" not in str(dict(client.session))


def test_a_user_without_a_password_is_not_asked_for_one(client: Client, settings: SettingsWrapper) -> None:
    settings.REAUTHENTICATE_AFTER = 3600
    client.force_login(make_user())
    assert client.get(f"{ACCOUNTS}connect/").status_code == 200
