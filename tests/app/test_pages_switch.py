"""Switching to OAuth through the pages: the permissions, the way there and back, and whatever may go wrong on it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from django.test import Client

from mailaccounts.models import Credential, CredentialState, Grant, MailAccount, OAuthClient
from tests.app.builders import make_user
from tests.app.pages import connect_data, problem

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http import HttpResponse

    from mailaccounts.testing.sandbox import Sandbox
    from tests.sandbox_fixtures import SandboxMailbox

pytestmark = pytest.mark.django_db(transaction=True)
RESULT = "/settings/email-accounts/result/"


class Visit:
    """Somebody with a connected mailbox, signed in to the CRM, with the provider's pages a click away."""

    def __init__(self, mailbox: SandboxMailbox) -> None:
        self.mailbox = mailbox
        self.user = make_user()
        self.client = self.new_browser()
        self.client.post("/settings/email-accounts/connect/", connect_data(mailbox))
        self.account = MailAccount.objects.get(owner=self.user)
        self.address = f"/settings/email-accounts/{self.account.pk}/"

    def new_browser(self) -> Client:
        """Another browser in which the same user is signed in. The provider knows us as localhost."""
        client = Client(SERVER_NAME="localhost")
        client.force_login(self.user)
        return client

    def leave(self, page: str = "switch/") -> str:
        """Goes to the provider; its address."""
        response = self.client.post(self.address + page, {"offer": self.offer})
        assert response.status_code == 302, response.content.decode()
        return response["Location"]

    @property
    def offer(self) -> str:
        return str(OAuthClient.objects.get().pk)

    def at_provider(self, url: str, *, allow: bool = True) -> str:
        """Signs in and answers; where the provider sends the browser."""
        callback = urlsplit(self.mailbox.sandbox.idp.person(self.mailbox.user).answer(url, allow=allow))
        return f"{callback.path}?{callback.query}"

    def return_by(self, callback: str, client: Client | None = None) -> HttpResponse:
        """Comes back, and reads the page one ends up on."""
        browser = client or self.client
        response = browser.get(callback)
        assert response.status_code == 302
        assert response["Location"] == RESULT
        assert response["Referrer-Policy"] == "no-referrer"
        return browser.get(RESULT)

    def still_works_as_it_did(self) -> bool:
        active = self.account.credentials.get(state=CredentialState.ACTIVE)
        return (
            active.backend == "password"
            and active.secret.reveal_text() == self.mailbox.password
            and self.account.credentials.count() == 1
            and not Grant.objects.exists()
        )


@pytest.fixture
def visit(world: Sandbox, mailbox: SandboxMailbox) -> Visit:
    return Visit(mailbox)


def test_every_permission_is_listed_with_its_reason_before_leaving(visit: Visit) -> None:
    page = visit.client.get(visit.address + "switch/").content.decode()
    for words in ("IMAP.AccessAsUser.All", "Read your mail", "SMTP.Send", "Send mail as you", "offline_access"):
        assert words in page
    assert "form-action 'self' https:" in visit.client.get(visit.address + "switch/")["Content-Security-Policy"]


def test_the_way_there_and_back_switches_the_same_account(visit: Visit) -> None:
    page = visit.return_by(visit.at_provider(visit.leave())).content.decode()
    assert f"{visit.mailbox.address} now signs in with Microsoft (OAuth)" in page
    assert "nothing is downloaded again" in page
    assert "Password is no longer used" in page
    assert MailAccount.objects.get().pk == visit.account.pk
    assert visit.account.credentials.get(state=CredentialState.ACTIVE).backend == "xoauth2"
    account_page = visit.client.get(visit.address).content.decode()
    assert "Switch to OAuth" not in account_page
    assert re.search(rf"Signed in as</dt>\s*<dd>{visit.mailbox.address}", account_page)


def test_reconnecting_at_the_provider_keeps_the_account(visit: Visit) -> None:
    visit.return_by(visit.at_provider(visit.leave()))
    page = visit.return_by(visit.at_provider(visit.leave("reconnect/"))).content.decode()
    assert "is connected again" in page
    assert MailAccount.objects.get().pk == visit.account.pk


def test_declining_changes_nothing(visit: Visit) -> None:
    page = visit.return_by(visit.at_provider(visit.leave(), allow=False))
    assert problem(page) == (
        "consent_declined",
        "Permission was not given at Microsoft. Nothing was changed. Try again whenever you like.",
    )
    assert "Try again" in page.content.decode()
    assert f"{visit.mailbox.address} goes on as before, signing in with Password" in page.content.decode()
    assert visit.still_works_as_it_did()


def use_another_state(visit: Visit) -> tuple[str, Client]:
    visit.leave()
    return "/oauth/microsoft/callback/?code=abc&state=made-up", visit.client


def use_no_state(visit: Visit) -> tuple[str, Client]:
    visit.leave()
    return "/oauth/microsoft/callback/", visit.client


def come_back_in_another_browser(visit: Visit) -> tuple[str, Client]:
    return visit.at_provider(visit.leave()), visit.new_browser()


def come_back_from_another_provider(visit: Visit) -> tuple[str, Client]:
    return visit.at_provider(visit.leave()).replace("/microsoft/", "/google/"), visit.client


@pytest.mark.parametrize(
    "way_back",
    [
        use_another_state,
        use_no_state,
        come_back_in_another_browser,
        come_back_from_another_provider,
    ],
    ids=lambda way: way.__name__,
)
def test_an_answer_to_no_consent_of_this_browser_is_refused(
    visit: Visit, way_back: Callable[[Visit], tuple[str, Client]]
) -> None:
    callback, browser = way_back(visit)
    code, words = problem(visit.return_by(callback, browser))
    assert code == "consent_expired"
    assert words.startswith("This sign-in is no longer valid: it was already used, took too long, or was started")
    assert visit.still_works_as_it_did()


def test_an_answer_to_somebody_elses_consent_is_not_found_and_not_used_up(visit: Visit) -> None:
    callback = visit.at_provider(visit.leave())
    stranger = Client(SERVER_NAME="localhost")
    stranger.force_login(make_user())
    assert stranger.get(callback).status_code == 404
    assert visit.still_works_as_it_did()
    assert "now signs in with" in visit.return_by(callback).content.decode()


def test_an_answer_counts_once(visit: Visit) -> None:
    callback = visit.at_provider(visit.leave())
    assert "now signs in with" in visit.return_by(callback).content.decode()
    before = list(Credential.objects.order_by("pk").values_list("pk", "state"))
    assert problem(visit.return_by(callback))[0] == "consent_expired"
    assert list(Credential.objects.order_by("pk").values_list("pk", "state")) == before


def test_coming_back_signed_out_keeps_the_code_out_of_every_address(visit: Visit) -> None:
    callback = visit.at_provider(visit.leave())
    visit.client.logout()
    response = visit.client.get(callback, follow=True)
    assert (
        response.redirect_chain[-1][0]
        == "/accounts/login/?next=/settings/email-accounts/result/%3Fsigned-out%3Dmicrosoft"
    )
    assert "code=" not in response.content.decode()
    assert visit.still_works_as_it_did()


def test_a_provider_out_of_order_on_the_way_back_says_so(visit: Visit) -> None:
    callback = visit.at_provider(visit.leave())
    visit.mailbox.sandbox.idp.faults.fail(status=500, times=5)
    code, words = problem(visit.return_by(callback))
    assert code == "provider_unavailable"
    assert words == ("Microsoft can't be reached or is out of order. Nothing was changed. Try again in a few minutes.")
    assert visit.still_works_as_it_did()


def test_a_user_the_provider_does_not_know_says_so(visit: Visit) -> None:
    callback = visit.at_provider(visit.leave())
    visit.mailbox.sandbox.idp.faults.refuse("invalid_grant", code=50034)
    code, words = problem(visit.return_by(callback))
    assert code == "user_unknown"
    assert words.startswith("Microsoft does not know this user. Check the address,")
    assert visit.still_works_as_it_did()


def test_a_permission_that_was_withheld_is_named(visit: Visit) -> None:
    visit.mailbox.sandbox.idp.faults.withhold_scopes("SMTP.Send")
    code, words = problem(visit.return_by(visit.at_provider(visit.leave())))
    assert code == "scope_missing"
    assert "smtp.send" in words.lower()
    assert visit.still_works_as_it_did()


def test_signing_in_as_somebody_else_is_refused(visit: Visit, new_mailbox: Callable[[], SandboxMailbox]) -> None:
    url = visit.leave()
    stranger = new_mailbox()
    callback = urlsplit(stranger.sandbox.idp.person(stranger.user).answer(url, allow=True))
    code, words = problem(visit.return_by(f"{callback.path}?{callback.query}"))
    assert code == "another_address"
    assert f"as {stranger.address}, but the mailbox is {visit.mailbox.address}." in words
    assert visit.still_works_as_it_did()


def test_a_provider_that_is_not_offered_says_so_and_nobody_leaves(visit: Visit) -> None:
    for page in ("switch/", "reconnect/"):
        for offer in ("elsewhere", str(uuid4()), ""):
            assert problem(visit.client.post(visit.address + page, {"offer": offer}))[0] == "client_missing"
    assert visit.still_works_as_it_did()


def test_the_result_without_a_consent_leads_to_the_accounts(visit: Visit) -> None:
    assert visit.client.get(RESULT)["Location"] == "/settings/email-accounts/"
