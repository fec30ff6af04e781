"""An address signs its user in where the operator takes a provider's word for it, and the provider has proven it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from allauth.account.models import EmailAddress
from allauth.socialaccount.models import SocialAccount

from tests.app.builders import make_user
from tests.crm.at_provider import PASSWORD

if TYPE_CHECKING:
    from pytest_django.fixtures import SettingsWrapper

    from tests.crm.at_provider import Visitor

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("provider", ["google", "oidc"])
def test_a_proven_address_signs_its_user_in_and_links_the_identity(
    visitor: Visitor, anna: Any, settings: SettingsWrapper, provider: str
) -> None:
    settings.SIGN_IN_BY_EMAIL = [provider]
    anna.email = visitor.mailbox.address.upper()
    anna.save()
    assert visitor.sign_in(provider)["Location"] == "/contacts/"
    assert SocialAccount.objects.get().user == anna
    anna.refresh_from_db()
    assert anna.check_password(PASSWORD)
    settings.SIGN_IN_BY_EMAIL = []
    visitor.sign_out()
    assert visitor.sign_in(provider)["Location"] == "/contacts/"


@pytest.mark.parametrize("claims", [{"email_verified": 0}, {"email_verified": "no"}])
def test_an_address_that_the_provider_has_not_proven_signs_nobody_in(
    visitor: Visitor, anna: Any, settings: SettingsWrapper, claims: dict[str, Any]
) -> None:
    settings.SIGN_IN_BY_EMAIL = ["oidc"]
    anna.email = visitor.mailbox.address
    anna.save()
    visitor.mailbox.sandbox.idp.faults.falsify_id_tokens(**claims)
    assert visitor.sign_in("oidc").status_code == 403
    assert not visitor.is_signed_in


def test_an_address_that_only_userinfo_tells_counts_as_well(
    visitor: Visitor, anna: Any, settings: SettingsWrapper
) -> None:
    settings.SIGN_IN_BY_EMAIL = ["oidc"]
    anna.email = visitor.mailbox.address
    anna.save()
    visitor.mailbox.sandbox.idp.faults.falsify_id_tokens(email="", email_verified=0)
    assert visitor.sign_in("oidc")["Location"] == "/contacts/"


def test_microsofts_email_claim_proves_nothing_by_itself(
    visitor: Visitor, anna: Any, settings: SettingsWrapper
) -> None:
    settings.SIGN_IN_BY_EMAIL = ["microsoft"]
    anna.email = visitor.mailbox.address
    anna.save()
    faults = visitor.mailbox.sandbox.idp.faults
    faults.falsify_id_tokens(email_verified=1)  # which Entra doesn't have
    assert visitor.sign_in("microsoft").status_code == 403
    faults.falsify_id_tokens(xms_edov=1)  # which it has where the domain's owner vouches for the address
    assert visitor.sign_in("microsoft")["Location"] == "/contacts/"


def test_googles_word_counts_for_domains_that_it_hosts(visitor: Visitor, anna: Any, settings: SettingsWrapper) -> None:
    settings.SIGN_IN_BY_EMAIL = ["google"]
    anna.email = visitor.mailbox.address
    anna.save()
    visitor.mailbox.sandbox.idp.faults.falsify_id_tokens(hd="")
    assert visitor.sign_in("google").status_code == 403


def test_an_address_that_a_user_claims_without_proof_opens_nothing(
    visitor: Visitor, anna: Any, settings: SettingsWrapper
) -> None:
    """Mallory registers Anna's address and waits for her to come."""
    settings.SIGN_IN_BY_EMAIL = ["oidc"]
    mallory = make_user("mallory")
    mallory.email = visitor.mailbox.address
    mallory.save()
    EmailAddress.objects.create(user=mallory, email=visitor.mailbox.address, verified=False, primary=True)
    assert visitor.sign_in("oidc").status_code == 403


def test_an_address_of_two_users_opens_neither(visitor: Visitor, settings: SettingsWrapper) -> None:
    settings.SIGN_IN_BY_EMAIL = ["oidc"]
    for name in ("one", "two"):
        user = make_user(name)
        user.email = visitor.mailbox.address
        user.save()
    assert visitor.sign_in("oidc").status_code == 403
