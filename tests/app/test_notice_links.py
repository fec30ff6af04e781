"""A notice leads to exactly the step it asks for: signed, for its owner alone, until that is settled; and the same is
said on every page."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from django.core import mail
from django.test import Client
from django.utils import timezone

from mailaccounts import tasks
from mailaccounts.errors import AdminApprovalNeeded, DeliveryUncertain, RecipientRefused, SendingNotAllowed
from mailaccounts.models import MailAccount, Outgoing, OutgoingState
from mailaccounts.services.sending import outgoing
from mailaccounts.services.signing_in.credentials import reset_status
from mailaccounts.services.syncing.outcome import active_credential_id
from mailaccounts.services.telling import notices
from tests.app.builders import make_account, make_credential, make_outgoing, make_user
from tests.app.test_notices import REVOKED, end_sync, work

if TYPE_CHECKING:
    from typing import Any

    from pytest_django.fixtures import SettingsWrapper

pytestmark = pytest.mark.django_db(transaction=True)

SITE = "https://crm.example.test"
PAGES = "/settings/email-accounts"


@pytest.fixture(autouse=True)
def _site(settings: SettingsWrapper) -> None:
    settings.MAILACCOUNTS = {**settings.MAILACCOUNTS, "SITE_URL": SITE}


@pytest.fixture
def account() -> MailAccount:
    account = make_credential(make_account(status="ok", last_sync_at=timezone.now())).account
    account.owner.email = "anna@work.test"
    account.owner.save()
    return account


@pytest.fixture
def anna(client: Client, account: MailAccount) -> Client:
    client.force_login(account.owner)
    return client


def link(number: int = -1) -> str:
    """The address that the newest mail leads to."""
    found = re.search(re.escape(SITE) + r"(\S+)", str(mail.outbox[number].body))
    assert found
    return found[1]


def told(client: Client, page: str = "/contacts/") -> str:
    """What a page says that mailboxes want, without its tags."""
    found = re.search(r"<aside class=\"account-notices.*?</aside>", client.get(page).content.decode(), re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>", " ", found[0]).split()) if found else ""


def held(account: MailAccount) -> Outgoing:
    """A message that a worker is handing over."""
    columns: dict[str, Any] = {"raw": b"x", "queued_at": timezone.now(), "state": OutgoingState.QUEUED}
    made = make_outgoing(account, **columns, next_at=timezone.now())
    found = outgoing.claim(made.pk)
    assert found
    return found


def test_the_link_leads_to_the_step_as_often_as_it_is_looked_at(anna: Client, account: MailAccount) -> None:
    end_sync(account, REVOKED)
    work()
    before = MailAccount.objects.values().get()
    for _ in range(2):  # a scanner of mail looks first
        assert anna.get(link())["Location"] == f"{PAGES}/{account.pk}/reconnect/"
    assert anna.post(link()).status_code == 405
    assert MailAccount.objects.values().get() == before


def test_a_link_is_over_once_its_incident_is(anna: Client, account: MailAccount) -> None:
    end_sync(account, REVOKED)
    work()
    first = link()
    end_sync(account, AdminApprovalNeeded(provider="Microsoft"))  # the same incident, another step
    assert anna.get(first)["Location"] == f"{PAGES}/{account.pk}/"
    reset_status(account)
    for _ in range(2):
        response = anna.get(first, follow=True)
        assert response.redirect_chain == [(f"{PAGES}/{account.pk}/", 302)]
        assert "That is settled already." in response.content.decode()
        end_sync(account, REVOKED)  # what comes next is another incident, and has a link of its own
        work()
    assert link() != first
    assert anna.get(link())["Location"] == f"{PAGES}/{account.pk}/reconnect/"


def test_nobody_else_gets_anywhere_with_it(account: MailAccount) -> None:
    end_sync(account, REVOKED)
    work()
    stranger = Client()
    assert stranger.get(link())["Location"].startswith("/accounts/login/?next=")
    stranger.force_login(make_user())
    response = stranger.get(link())
    assert response.status_code == 404
    assert account.address not in response.content.decode()


def test_a_link_that_somebody_made_up_leads_nowhere(anna: Client, account: MailAccount) -> None:
    end_sync(account, REVOKED)
    work()
    token = link().rstrip("/").rpartition("/")[2]
    other = notices.token_of(make_account(status="needs_owner"))
    payload, _, signature = token.rpartition(":")
    for forged in (token[:-4], f"{other.rpartition(':')[0]}:{signature}", f"{payload}x:{signature}", "x"):
        response = anna.get(f"{PAGES}/go/{forged}/")
        assert response.status_code == 404
        assert 'data-code="notice_damaged"' in response.content.decode()


def test_every_page_says_it_but_those_about_it(
    anna: Client, account: MailAccount, django_assert_num_queries: Any
) -> None:
    assert told(anna) == ""
    end_sync(account, REVOKED)
    assert told(anna) == f"{account.address} needs you to sign in again {REVOKED.message} Reconnect it"
    assert told(anna, f"{PAGES}/{account.pk}/reconnect/") == ""
    other = make_account(account.owner, begun=False, status="new")
    make_outgoing(make_account(account.owner, status="ok"), state=OutgoingState.FAILED, raw=b"x")
    make_account(status="needs_owner")
    said = told(anna)
    assert f"{other.address} waits for you to say how far back" in said and "Decide in the outbox" in said
    assert said.count("Reconnect it") == 1
    from mailaccounts.services.telling import needs

    with django_assert_num_queries(1):
        assert len(needs.of_user(account.owner)) == 3


def test_who_forgets_to_say_how_far_back_is_reminded_once(anna: Client, account: MailAccount) -> None:
    MailAccount.objects.filter(pk=account.pk).update(status="new", begun=False)
    tasks.tick()
    assert mail.outbox == []
    MailAccount.objects.filter(pk=account.pk).update(created_at=timezone.now() - timedelta(days=2))
    for _ in range(2):
        tasks.tick()
    assert len(mail.outbox) == 1
    assert anna.get(link())["Location"] == f"{PAGES}/{account.pk}/begin/"
    MailAccount.objects.filter(pk=account.pk).update(begun=True)
    assert anna.get(link())["Location"] == f"{PAGES}/{account.pk}/"


def test_a_message_that_waits_for_its_author_tells_them_once(anna: Client, account: MailAccount) -> None:
    outgoing.not_handed_over(held(account), RecipientRefused(host="smtp.example.test"), credential_id=None)
    for _ in range(2):
        tasks.tick()
    (notice,) = mail.outbox
    assert notice.subject == f"What you sent from {account.address} waits for you"
    assert anna.get(link())["Location"] == "/mail/outbox/"
    Outgoing.objects.update(state=OutgoingState.DRAFT)
    assert anna.get(link())["Location"] == f"{PAGES}/{account.pk}/"


def test_a_message_leads_to_what_keeps_it_back(anna: Client, account: MailAccount) -> None:
    outgoing.not_handed_over(held(account), REVOKED, credential_id=active_credential_id(account))
    tasks.tick()
    assert anna.get(link())["Location"] == f"{PAGES}/{account.pk}/reconnect/"
    MailAccount.objects.filter(pk=account.pk).update(smtp_host="")
    outgoing.not_handed_over(held(account), SendingNotAllowed(address=account.address), credential_id=None)
    tasks.tick()
    assert anna.get(link())["Location"] == f"{PAGES}/{account.pk}/allow-sending/"


def test_what_is_still_looked_for_or_waits_for_its_account_tells_nobody_of_itself(account: MailAccount) -> None:
    message = held(account)
    outgoing.begin_handing_over(message)
    outgoing.uncertain(message, DeliveryUncertain(host="smtp.example.test"))
    tasks.tick()
    assert mail.outbox == []
    outgoing.not_handed_over(held(account), REVOKED, credential_id=active_credential_id(account))
    end_sync(account, REVOKED)
    tasks.tick()
    assert [each.subject for each in mail.outbox] == [f"{account.address} needs you to sign in again"]
