"""What a person meets at the sandbox's identity provider: sign-in, consent, and the way back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mailaccounts.testing.sandbox.person import form_fields
from tests.integration.sandbox_clients import REDIRECT_URI, SCOPES, authorize_url, begin, msal_app

if TYPE_CHECKING:
    from mailaccounts.testing.sandbox.provider import IdentityProvider
    from tests.sandbox_fixtures import SandboxMailbox


def test_declining_sends_the_person_back_with_access_denied(idp: IdentityProvider, mailbox: SandboxMailbox) -> None:
    flow = begin(msal_app(idp))

    params = idp.person(mailbox.user).decline(flow["auth_uri"])

    assert params["error"] == "access_denied"
    assert params["error_description"].startswith("AADSTS65004")
    assert params["state"] == flow["state"]
    assert "code" not in params


def test_turning_back_at_the_sign_in_page_is_access_denied_too(idp: IdentityProvider, mailbox: SandboxMailbox) -> None:
    flow = begin(msal_app(idp), login_hint=mailbox.address, prompt="select_account")

    params = idp.person(mailbox.user).cancel(flow["auth_uri"])

    assert (params["error"], params["state"]) == ("access_denied", flow["state"])


@pytest.mark.parametrize(
    ("address", "sentence"),
    [("stranger@sandbox.test", "We don&#x27;t know anybody called"), (None, "Your password is not correct")],
    ids=["unknown user", "wrong password"],
)
def test_a_failed_sign_in_stays_on_the_providers_page(
    idp: IdentityProvider, mailbox: SandboxMailbox, address: str | None, sentence: str
) -> None:
    session = idp.session()
    page = session.get(authorize_url(idp))
    answers = {"username": address or mailbox.address, "password": "guessed"}

    answer = session.post(page.url, data={**form_fields(page.text), **answers}, headers={"Referer": page.url})

    assert answer.url == page.url
    assert sentence in answer.text
    assert 'name="cancel"' in answer.text


def test_the_sign_in_page_knows_who_is_expected(idp: IdentityProvider, mailbox: SandboxMailbox) -> None:
    page = idp.session().get(authorize_url(idp, login_hint=mailbox.address))

    assert form_fields(page.text)["username"] == mailbox.address


def test_select_account_asks_although_somebody_is_signed_in(idp: IdentityProvider, mailbox: SandboxMailbox) -> None:
    person = idp.person(mailbox.user)
    person.consent(authorize_url(idp))

    straight_on = person.session.get(authorize_url(idp))
    asked_again = person.session.get(authorize_url(idp, prompt="select_account"))

    assert "password" not in form_fields(straight_on.text)
    assert "password" in form_fields(asked_again.text)


def test_a_hint_for_somebody_else_asks_who_it_is(idp: IdentityProvider, mailbox: SandboxMailbox) -> None:
    person = idp.person(mailbox.user)
    person.consent(authorize_url(idp))

    page = person.session.get(authorize_url(idp, login_hint="somebody-else@sandbox.test"))

    assert form_fields(page.text)["username"] == "somebody-else@sandbox.test"


def test_prompt_none_answers_login_required(idp: IdentityProvider) -> None:
    answer = idp.session().get(authorize_url(idp, prompt="none"), allow_redirects=False)

    assert "error=login_required" in answer.headers["Location"]


def test_the_consent_page_lists_every_scope(idp: IdentityProvider, mailbox: SandboxMailbox) -> None:
    person = idp.person(mailbox.user)
    person.consent(authorize_url(idp))

    page = person.session.get(authorize_url(idp))

    assert mailbox.address in page.text
    assert SCOPES[0] in page.text
    assert "Read and write your mail by IMAP" in page.text


@pytest.mark.parametrize("host", ["http://localhost:1", "http://127.0.0.1:60999", "https://localhost:8443"])
def test_any_loopback_port_may_receive_the_callback(idp: IdentityProvider, mailbox: SandboxMailbox, host: str) -> None:
    uri = f"{host}/oauth/microsoft/callback/"

    assert idp.person(mailbox.user).answer(authorize_url(idp, redirect_uri=uri), allow=True).startswith(f"{uri}?")


@pytest.mark.parametrize(
    "uri",
    ["https://evil.example/oauth/microsoft/callback/", "http://localhost:8765/elsewhere/", f"{REDIRECT_URI}?a=b"],
)
def test_an_unregistered_redirect_uri_ends_on_the_providers_page(idp: IdentityProvider, uri: str) -> None:
    answer = idp.session().get(authorize_url(idp, redirect_uri=uri), allow_redirects=False)

    assert answer.status_code == 400
    assert "not registered" in answer.text
