"""Answers of identity providers that aren't to be trusted, and providers that don't answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from mailaccounts.models import OAuthClient
from mailaccounts.oauth.discovery import documents
from tests.crm.at_provider import PROVIDERS, code, text

if TYPE_CHECKING:
    from pytest_django.fixtures import SettingsWrapper

    from tests.crm.at_provider import Visitor

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize(
    "claims",
    [{"iss": "https://somewhere.else.test"}, {"aud": "another-client"}, {"nonce": "another"}, {"exp": 1_000_000_000}],
    ids=lambda claims: next(iter(claims)),
)
def test_an_id_token_that_is_not_for_this_sign_in_is_refused(
    linked: Visitor, provider: str, claims: dict[str, Any]
) -> None:
    linked.mailbox.sandbox.idp.faults.falsify_id_tokens(**claims)
    page = linked.sign_in(provider)
    assert (page.status_code, code(page)) == (403, "id_token_invalid")
    assert not linked.is_signed_in


def test_a_signature_that_isnt_the_providers_is_refused(linked: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    params = linked.answer(linked.leave("microsoft")["Location"])
    keys = documents.get

    def others(*args: Any, **kwargs: Any) -> Any:
        document = keys(*args, **kwargs)
        if "keys" not in document:
            return document
        return {"keys": [{**key, "n": key["n"][:-8] + "AAAAAAAA"} for key in document["keys"]]}

    monkeypatch.setattr(documents, "get", others)
    assert code(linked.come_back("microsoft", params)) == "id_token_invalid"
    assert not linked.is_signed_in


def test_an_answer_counts_once(linked: Visitor) -> None:
    params = linked.answer(linked.leave("microsoft")["Location"])
    assert linked.come_back("microsoft", params)["Location"] == "/contacts/"
    linked.sign_out()
    page = linked.come_back("microsoft", params)
    assert (page.status_code, code(page)) == (403, "sign_in_expired")
    assert not linked.is_signed_in


def test_an_answer_counts_only_in_the_browser_that_asked(linked: Visitor, stranger: Visitor) -> None:
    """Somebody is lured to a callback with another's code, to be signed in as them or to have it linked."""
    params = linked.answer(linked.leave("microsoft")["Location"])
    assert code(stranger.come_back("microsoft", params)) == "sign_in_expired"
    assert not stranger.is_signed_in


def test_an_answer_of_one_provider_doesnt_count_as_anothers(linked: Visitor) -> None:
    params = linked.answer(linked.leave("microsoft")["Location"])
    assert code(linked.come_back("oidc", params)) == "sign_in_expired"


def test_an_answer_that_names_another_sender_is_refused(linked: Visitor) -> None:
    """RFC 9207: the sandbox's plain provider says who sends, so that an answer without it isn't its own either."""
    for change in ({"iss": "https://somewhere.else.test"}, {"iss": None}):
        params = {**linked.answer(linked.leave("oidc")["Location"]), **change}
        params = {name: value for name, value in params.items() if value}
        assert code(linked.come_back("oidc", params)) == "id_token_invalid"


def test_a_discovery_document_of_another_issuer_is_refused(visitor: Visitor, settings: SettingsWrapper) -> None:
    clients = settings.MAILACCOUNTS["CLIENTS"]
    other = {**clients["oidc"], "authority": clients["oidc"]["authority"] + "/"}
    settings.MAILACCOUNTS = {**settings.MAILACCOUNTS, "CLIENTS": {**clients, "oidc": other}}
    page = visitor.leave("oidc")
    assert page.status_code == 403
    assert "Tell whoever runs this installation" in text(page)
    assert OAuthClient.objects.get(provider="oidc").alarm_code


def test_tenants_of_a_shared_authority_are_told_apart_by_their_own_issuer(
    linked: Visitor, settings: SettingsWrapper
) -> None:
    clients = settings.MAILACCOUNTS["CLIENTS"]
    shared = {**clients["microsoft"], "tenant": "common"}
    settings.MAILACCOUNTS = {**settings.MAILACCOUNTS, "CLIENTS": {**clients, "microsoft": shared}}
    assert linked.sign_in("microsoft")["Location"] == "/contacts/"
    linked.sign_out()
    other = "22222222-2222-4222-8222-222222222222"
    linked.mailbox.sandbox.idp.faults.falsify_id_tokens(tid=other)
    assert code(linked.sign_in("microsoft")) == "id_token_invalid"


def test_a_provider_that_is_down_is_an_outage_and_no_more(linked: Visitor) -> None:
    params = linked.answer(linked.leave("microsoft")["Location"])
    linked.mailbox.sandbox.idp.faults.fail(endpoint="token")
    page = linked.come_back("microsoft", params)
    assert (page.status_code, code(page)) == (503, "provider_unavailable")


def test_a_refused_secret_is_one_alarm_for_the_operator(linked: Visitor) -> None:
    params = linked.answer(linked.leave("microsoft")["Location"])
    linked.mailbox.sandbox.idp.faults.refuse("invalid_client", code=7000222)
    page = linked.come_back("microsoft", params)
    assert "Tell whoever runs this installation" in text(page)
    assert OAuthClient.objects.get(provider="microsoft").alarm_code


def test_somebody_who_turns_back_at_the_provider_can_go_another_way(linked: Visitor) -> None:
    idp, user = linked.mailbox.sandbox.idp, linked.mailbox.user
    params = idp.person(user).cancel(linked.leave("microsoft")["Location"])
    page = linked.come_back("microsoft", params)
    assert code(page) == "consent_declined"
    assert "/accounts/login/" in text(page)
