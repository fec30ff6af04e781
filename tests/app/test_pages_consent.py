"""Connecting at a provider through the pages: address, one click, done; and every way it may end instead."""

from __future__ import annotations

import re
from dataclasses import replace
from html import unescape
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import pytest
from django.test import Client

from mailaccounts.models import ConsentAttempt, Credential, Grant, MailAccount, Outgoing
from tests.app.builders import make_user
from tests.app.pages import problem, server_data
from tests.sandbox_crm import connect_by_consent

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from django.http import HttpResponse

    from mailaccounts.testing.sandbox import Sandbox
    from tests.sandbox_fixtures import SandboxMailbox

pytestmark = pytest.mark.django_db(transaction=True)
SETTINGS = "/settings/email-accounts/"
CONNECT, RESULT = f"{SETTINGS}connect/", f"{SETTINGS}result/"
OFFER = re.compile(r'name="offer" value="([\w-]+)"')


class Visit:
    """Somebody in front of the CRM. The provider knows it as localhost."""

    def __init__(self) -> None:
        self.user = make_user()
        self.client = Client(SERVER_NAME="localhost")
        self.client.force_login(self.user)

    def offer_for(self, address: str) -> str:
        """The first step; the registration that the one button of the second stands for."""
        page = self.client.post(CONNECT, {"address": address})
        (offer,) = OFFER.findall(page.content.decode())
        return str(offer)

    def leave(self, address: str, **choices: str) -> str:
        """Both steps; where the button leads."""
        data = {"address": address, "offer": self.offer_for(address), **choices}
        return self.location(self.client.post(f"{CONNECT}?with=xoauth2", data))

    def location(self, response: HttpResponse) -> str:
        assert response.status_code == 302, response.content.decode()
        return response["Location"]

    def return_from(self, url: str, person: SandboxMailbox, *, allow: bool = True) -> HttpResponse:
        """Signs in at the provider as ``person`` and answers; the page one ends up on."""
        back = urlsplit(person.sandbox.idp.person(person.user).answer(url, allow=allow))
        response = self.client.get(f"{back.path}?{back.query}")
        assert (response.status_code, response["Location"]) == (302, RESULT)
        assert response["Referrer-Policy"] == "no-referrer"
        return self.client.get(RESULT)


@pytest.fixture
def visit(world: Sandbox) -> Visit:
    return Visit()


@pytest.fixture
def office(anna: SandboxMailbox, new_mailbox: Callable[..., SandboxMailbox]) -> SandboxMailbox:
    """A mailbox that Anna may open too."""
    shared = new_mailbox()
    anna.sandbox.add_user(replace(anna.user, shared=(shared.address,)))
    return shared


def words(response: HttpResponse) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", response.content.decode())).split())


def again(response: HttpResponse) -> dict[str, str]:
    """The buttons that start a consent again, by what they say."""
    buttons = re.findall(r"<button ([^>]*)>([^<]+)</button>", response.content.decode())
    return {label: attributes for attributes, label in buttons if "Sign out" not in label}


# --- how it ends well ------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("every_provider")
@pytest.mark.parametrize(
    ("domain", "provider"), [("sandbox.test", "Microsoft"), ("google.test", "Google"), ("oidc.test", "Sandbox")]
)
def test_from_the_address_to_a_connected_mailbox_it_is_one_click(
    visit: Visit, new_mailbox: Callable[..., SandboxMailbox], domain: str, provider: str
) -> None:
    mailbox = new_mailbox(domain=domain)
    page = visit.client.post(CONNECT, {"address": mailbox.address})
    assert f"Continue to {provider}" in words(page)
    page = visit.return_from(visit.leave(mailbox.address), mailbox)
    assert f"{mailbox.address} is connected" in words(page)
    assert "Reading and sending were proven" in words(page)
    assert f"Signed in as {mailbox.address}." in words(page)
    account = MailAccount.objects.get()
    assert f'href="{SETTINGS}{account.pk}/begin/"' in page.content.decode()
    assert "Say how far back" in words(page)
    assert not account.begun


def test_reading_only_is_a_choice(visit: Visit, anna: SandboxMailbox) -> None:
    page = visit.client.post(CONNECT, {"address": anna.address}).content.decode()
    assert re.search(r'<input type="radio" name="sends" value="yes"[^>]* checked', page)
    assert re.search(r'<input type="radio" name="sends" value="no"', page)
    url = visit.leave(anna.address, sends="no")
    assert "SMTP.Send" not in url
    page = visit.return_from(url, anna)
    assert "It only reads: permission to send wasn't asked for." in words(page)
    assert MailAccount.objects.get().smtp is None


@pytest.mark.usefixtures("every_provider")
def test_one_permission_for_both_is_said_to_be_one(visit: Visit, new_mailbox: Callable[..., SandboxMailbox]) -> None:
    page = words(visit.client.post(CONNECT, {"address": new_mailbox(domain="google.test").address}))
    assert "Google has one permission for reading and sending." in page
    assert "Not asked for if you only read." not in page


def test_a_choice_that_there_is_not_is_refused(visit: Visit, anna: SandboxMailbox) -> None:
    data = {"address": anna.address, "offer": visit.offer_for(anna.address), "sends": "perhaps"}
    page = visit.client.post(f"{CONNECT}?with=xoauth2", data)
    assert problem(page)[0] == "invalid_input"
    assert not ConsentAttempt.objects.exists()


def test_a_shared_mailbox_shows_who_signs_in_and_what_is_opened(
    visit: Visit, anna: SandboxMailbox, office: SandboxMailbox
) -> None:
    page = visit.return_from(visit.leave(office.address, shared="on"), anna)
    both = f"Signed in as {anna.address}. The mailbox that is opened, and sent from, is {office.address}."
    assert both in words(page)
    account_page = words(visit.client.get(f"{SETTINGS}{MailAccount.objects.get().pk}/"))
    assert f"Shared mailbox {office.address}" in account_page
    assert f"Signed in as {anna.address}" in account_page


def test_servers_typed_by_hand_are_those_that_are_used(visit: Visit, anna: SandboxMailbox) -> None:
    starttls = anna.sandbox.imap_starttls
    hosts = {"imap_host": starttls.host, "imap_port": str(starttls.port), "imap_security": "starttls"}
    url = visit.leave(anna.address, **hosts, since="2026-03-04")
    assert "SMTP.Send" not in url  # no server to send through was named
    visit.return_from(url, anna)
    account = MailAccount.objects.get()
    assert (account.imap, account.smtp, str(account.since)) == (starttls, None, "2026-03-04")


# --- how it doesn't --------------------------------------------------------------------------------------------


def nothing_is_stored() -> bool:
    return not (MailAccount.objects.exists() or Credential.objects.exists() or Grant.objects.exists())


def test_declining_says_so_and_one_button_asks_again(visit: Visit, anna: SandboxMailbox) -> None:
    page = visit.return_from(visit.leave(anna.address, sends="no"), anna, allow=False)
    assert problem(page)[0] == "consent_declined"
    assert f"{anna.address} is not connected, and nothing of it is stored." in words(page)
    assert list(again(page)) == ["Try again"]
    assert nothing_is_stored()

    url = visit.location(visit.client.post(RESULT))
    assert "SMTP.Send" not in url, "the same consent again"
    assert f"{anna.address} is connected" in words(visit.return_from(url, anna))


def test_a_missing_permission_is_named_with_one_button_to_ask_again(visit: Visit, anna: SandboxMailbox) -> None:
    anna.sandbox.idp.faults.withhold_scopes("SMTP.Send")
    page = visit.return_from(visit.leave(anna.address), anna)
    code, said = problem(page)
    assert code == "scope_missing"
    assert said.startswith("Microsoft did not grant everything that is needed: smtp.send is missing.")
    assert list(again(page)) == ["Ask again"]
    anna.sandbox.idp.faults.reset()
    visit.return_from(visit.location(visit.client.post(RESULT)), anna)
    assert MailAccount.objects.get().smtp


def test_another_address_is_asked_about_with_one_button_to_go_on(
    visit: Visit, anna: SandboxMailbox, office: SandboxMailbox
) -> None:
    page = visit.return_from(visit.leave(office.address), anna)
    code, said = problem(page)
    assert code == "another_address"
    assert said.startswith(f"You signed in to Microsoft as {anna.address}, but the mailbox is {office.address}.")
    assert "If it is a shared mailbox or another address of yours, say so and go on" in said
    assert list(again(page)) == ["Continue as a shared mailbox", "Sign in again"]
    assert nothing_is_stored()
    url = visit.location(visit.client.post(RESULT, {"shared": "yes"}))
    assert "login_hint" not in parse_qs(urlsplit(url).query)
    assert f"{office.address} is connected" in words(visit.return_from(url, anna))


def test_where_only_sending_does_not_work_one_may_go_on_reading(visit: Visit, anna: SandboxMailbox) -> None:
    """As where a tenant has SMTP switched off."""
    url = visit.leave(anna.address, **server_data(anna.sandbox.imap), smtp_host="nowhere.invalid")
    page = visit.return_from(url, anna)
    assert "nowhere.invalid" in problem(page)[1]
    assert list(again(page)) == ["Try again", "Only read for now"]
    url = visit.location(visit.client.post(RESULT, {"read": "only"}))
    assert "SMTP.Send" not in url
    visit.return_from(url, anna)
    assert MailAccount.objects.get().smtp is None


def test_a_mailbox_that_was_connected_meanwhile_says_so(visit: Visit, anna: SandboxMailbox) -> None:
    url = visit.leave(anna.address)
    connect_by_consent(anna, visit.user)
    page = visit.return_from(url, anna)
    assert problem(page)[0] == "already_connected"
    assert Grant.objects.count() == 1


def test_a_consent_under_way_is_lost_with_its_account(visit: Visit, anna: SandboxMailbox) -> None:
    account = connect_by_consent(anna, visit.user)
    offer = OFFER.findall(visit.client.get(f"{SETTINGS}{account.pk}/reconnect/").content.decode())[0]
    url = visit.location(visit.client.post(f"{SETTINGS}{account.pk}/reconnect/", {"offer": offer}))
    account.delete()
    page = visit.return_from(url, anna)
    assert problem(page)[0] == "consent_expired"
    assert again(page) == {}
    assert problem(visit.client.post(RESULT))[0] == "consent_expired"


def test_an_account_that_is_somebody_elses_by_now_is_left_alone(visit: Visit, anna: SandboxMailbox) -> None:
    account = connect_by_consent(anna, visit.user)
    before = Credential.objects.get()
    offer = OFFER.findall(visit.client.get(f"{SETTINGS}{account.pk}/reconnect/").content.decode())[0]
    url = visit.location(visit.client.post(f"{SETTINGS}{account.pk}/reconnect/", {"offer": offer}))
    MailAccount.objects.update(owner=make_user())
    page = visit.return_from(url, anna)
    assert problem(page)[0] == "consent_expired"
    assert anna.address not in words(page)
    assert Credential.objects.get() == before


def test_signed_out_meanwhile_it_says_so_after_signing_in_again(visit: Visit, anna: SandboxMailbox) -> None:
    url = visit.leave(anna.address)
    back = urlsplit(anna.sandbox.idp.person(anna.user).answer(url, allow=True))
    visit.client.logout()
    response = visit.client.get(f"{back.path}?{back.query}")
    assert response["Location"] == f"{RESULT}?signed-out=microsoft"
    assert response["Referrer-Policy"] == "no-referrer"
    visit.client.force_login(visit.user)
    page = visit.client.get(response["Location"])
    code, said = problem(page)
    assert code == "signed_out"
    assert said.startswith("You were signed out here before you came back from Microsoft. Nothing was changed.")
    assert again(page) == {}
    assert nothing_is_stored()


def test_what_somebody_writes_into_the_address_is_not_shown(visit: Visit) -> None:
    page = words(visit.client.get(f"{RESULT}?signed-out=Call+0800+1234"))
    assert "0800" not in page
    assert "before you came back from the provider." in page


def test_without_a_consent_there_is_nothing_to_start_again(visit: Visit) -> None:
    assert visit.client.post(RESULT)["Location"] == SETTINGS


def test_the_session_holds_no_secret(visit: Visit, anna: SandboxMailbox) -> None:
    url = visit.leave(anna.address)
    attempt = ConsentAttempt.objects.get()
    kept = str(dict(visit.client.session.items()))
    flow = attempt.flow.reveal_text()
    verifier = re.search(r'"code_verifier": "([^"]+)"', flow)
    assert verifier and verifier[1] not in kept
    assert parse_qs(urlsplit(url).query)["state"][0] not in kept
    visit.return_from(url, anna)
    grant = Grant.objects.get()
    assert grant.access_token.reveal_text() not in str(dict(visit.client.session.items()))


# --- sending, later --------------------------------------------------------------------------------------------


def test_an_account_that_only_reads_offers_to_allow_sending(visit: Visit, anna: SandboxMailbox) -> None:
    account = connect_by_consent(anna, visit.user, smtp=None)
    address = f"{SETTINGS}{account.pk}/"
    assert f'href="{address}allow-sending/"' in visit.client.get(address).content.decode()
    page = visit.client.get(f"{address}allow-sending/")
    for said in ("SMTP.Send", "Send mail as you, when you answer from the CRM.", f"sent as {anna.address}"):
        assert said in words(page)
    written = {"sender": account.pk, "to": "maria@c.test", "subject": "Offer", "text": "Dear Maria", "do": "send"}
    assert problem(visit.client.post("/mail/new/", written))[0] == "sending_not_allowed"
    (offer,) = OFFER.findall(page.content.decode())
    url = visit.location(visit.client.post(f"{address}allow-sending/", {"offer": offer}))
    assert "SMTP.Send" in url
    back = visit.return_from(url, anna)
    assert f"{anna.address} can send now" in words(back)
    draft = f"/mail/drafts/{Outgoing.objects.get().pk}/"
    assert f'href="{draft}"' in back.content.decode(), "with what was written"
    assert visit.client.post(draft, written)["Location"] == "/mail/outbox/"
    assert MailAccount.objects.get().smtp == anna.sandbox.smtp
    assert "allow-sending/" not in visit.client.get(address).content.decode()
    assert visit.client.get(f"{address}allow-sending/")["Location"] == address


def test_where_no_server_to_send_through_is_known_it_is_asked_for(
    visit: Visit, anna: SandboxMailbox, settings: Any
) -> None:
    account = connect_by_consent(anna, visit.user, smtp=None)
    settings.MAILACCOUNTS = {**settings.MAILACCOUNTS, "PRESETS_FILE": ""}
    address, smtp = f"{SETTINGS}{account.pk}/allow-sending/", anna.sandbox.smtp
    page = visit.client.get(address)
    (offer,) = OFFER.findall(page.content.decode())
    assert "This field is required." in words(visit.client.post(address, {"offer": offer}))
    data = {"offer": offer, "smtp_host": smtp.host, "smtp_port": str(smtp.port), "smtp_security": "tls"}
    visit.return_from(visit.location(visit.client.post(address, data)), anna)
    assert MailAccount.objects.get().smtp == smtp
