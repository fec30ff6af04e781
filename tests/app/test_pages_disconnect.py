"""The page that disconnects, and the receipt it ends with."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from django.test import Client
from django.urls import reverse

from mailaccounts.models import AccountStatus, AuditAction, Credential, MailAccount, Message
from mailaccounts.selectors import receipts
from mailaccounts.services.connecting import disconnect as disconnecting
from mailaccounts.services.connecting.disconnect import Reason, cut
from mailaccounts.services.trail.audit import follow_up, note
from tests.app.builders import make_account, make_credential, make_user
from tests.app.pages import problem
from tests.crm.builders import store_message
from tests.letters import CONTACT

if TYPE_CHECKING:
    from django.http import HttpResponse

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def account() -> MailAccount:
    """A Gmail account with an app password and two stored messages."""
    account = make_account(address="anna@gmail.com", imap_host="imap.gmail.com", status="ok")
    make_credential(account, "the-s3cret", backend="app_password")
    for _ in range(2):
        store_message(account, sender=CONTACT, to=account.address)
    return account


@pytest.fixture
def client(account: MailAccount) -> Client:
    """The browser of the account's owner."""
    client = Client()
    client.force_login(account.owner)
    return client


def page_of(account: MailAccount) -> str:
    return reverse("mailaccounts:disconnect", args=[account.pk])


def text(response: HttpResponse) -> str:
    return " ".join(response.content.decode().split())


def test_it_says_what_will_happen_before_it_does(client: Client, account: MailAccount) -> None:
    page = text(client.get(page_of(account)))
    assert "Disconnect anna@gmail.com" in page
    assert "We destroy the app password we sign in with." in page
    assert "What becomes of the 2 messages that we stored?" in page
    assert Credential.objects.exists() and not receipts().exists()


def test_nothing_happens_without_a_choice(client: Client, account: MailAccount) -> None:
    for data in ({}, {"mail": "burn"}):
        response = client.post(page_of(account), data)
        assert response.status_code == 200
    assert "Choose whether the stored mail is kept or erased." in text(client.post(page_of(account)))
    account.refresh_from_db()
    assert account.status == AccountStatus.OK


def test_keeping_ends_with_a_receipt_and_an_account_to_reconnect(client: Client, account: MailAccount) -> None:
    response = client.post(page_of(account), {"mail": "keep"}, follow=True)
    entry = receipts().get()
    assert response.redirect_chain == [(reverse("mailaccounts:receipt", args=[entry.pk]), 302)]
    receipt = text(response)
    assert "anna@gmail.com was disconnected" in receipt
    assert "2 messages kept" in receipt
    assert str(entry.pk) in receipt
    assert f"<dd>{account.owner.username}</dd>" in receipt
    assert "https://myaccount.google.com/apppasswords" in receipt, "where the owner can end it"
    shown = text(client.get(reverse("mailaccounts:account", args=[account.pk])))
    assert "This mailbox is disconnected" in shown
    assert "Erase its mail" in shown and "Sync now" not in shown and "Switch to OAuth" not in shown
    assert reverse("mailaccounts:receipt", args=[entry.pk]) in shown


def test_what_was_kept_can_be_erased_from_the_accounts_page(client: Client, account: MailAccount) -> None:
    client.post(page_of(account), {"mail": "keep"})
    page = text(client.get(page_of(account)))
    assert "Erase the mail of anna@gmail.com" in page
    response = client.post(page_of(account), {"mail": "erase"}, follow=True)
    assert "2 messages erased" in text(response)
    assert not (MailAccount.objects.exists() or Message.objects.exists())


def test_erasing_ends_with_a_receipt_that_is_found_again(client: Client, account: MailAccount) -> None:
    response = client.post(page_of(account), {"mail": "erase"}, follow=True)
    assert "2 messages erased" in text(response)
    assert client.get(page_of(account)).status_code == 404
    overview = text(client.get(reverse("mailaccounts:accounts")))
    assert "No mailbox is connected yet" in overview
    assert reverse("mailaccounts:receipts") in overview
    listed = text(client.get(reverse("mailaccounts:receipts")))
    assert "anna@gmail.com" in listed and "2 messages erased" in listed


def test_a_mailbox_on_its_way_out_leads_to_its_receipt(client: Client, account: MailAccount) -> None:
    entry = cut(account.pk, reason=Reason.ASKED, actor=account.owner, erase_mail=True)
    assert entry is not None
    for name in ("account", "disconnect"):
        response = client.get(reverse(f"mailaccounts:{name}", args=[account.pk]), follow=True)
        assert response.redirect_chain[-1][0] == reverse("mailaccounts:receipt", args=[entry.pk])
    page = response.content.decode()
    assert "2 messages being erased" in page and 'hx-trigger="every 2s"' in page
    part = client.get(reverse("mailaccounts:receipt", args=[entry.pk]), headers={"HX-Request": "true"})
    assert text(part).startswith("<section") and "HX-Request" in part["Vary"]
    follow_up(entry, erased=True)
    assert "hx-trigger" not in client.get(reverse("mailaccounts:receipt", args=[entry.pk])).content.decode()


def test_the_receipt_can_be_downloaded(client: Client, account: MailAccount) -> None:
    client.post(page_of(account), {"mail": "keep"})
    entry = receipts().get()
    response = client.get(reverse("mailaccounts:receipt_json", args=[entry.pk]))
    assert response["Content-Disposition"] == f'attachment; filename="receipt-{entry.pk}.json"'
    told = json.loads(response.content)
    assert [json.loads(each["text"])["facts"] for each in told.pop("signed")] == [entry.facts]
    assert told == {
        "receipt": str(entry.pk),
        "address": "anna@gmail.com",
        "disconnected_at": entry.at.isoformat(),
        "by": account.owner.username,
        "why": None,
        "secrets_destroyed": 1,
        "permissions": [],
        "mail": {"messages": 2, "outcome": "kept", "erased_at": None},
    }


@pytest.mark.parametrize("name", ["receipt", "receipt_json"])
def test_a_receipt_is_for_its_owner_alone(client: Client, account: MailAccount, name: str) -> None:
    client.post(page_of(account), {"mail": "keep"})
    page = reverse(f"mailaccounts:{name}", args=[receipts().get().pk])
    assert client.get(page).status_code == 200
    for staff in (False, True):
        stranger = make_user()
        stranger.is_staff = stranger.is_superuser = staff
        stranger.save()
        other = Client()
        other.force_login(stranger)
        assert other.get(page).status_code == 404
        assert "anna@gmail.com" not in text(other.get(reverse("mailaccounts:receipts")))


def test_only_a_receipt_is_one(client: Client, account: MailAccount) -> None:
    receipt = cut(account.pk, reason=Reason.ASKED, actor=account.owner)
    assert receipt is not None
    later = follow_up(receipt, erased=True)
    other = note(AuditAction.REFRESH_FAILED, account, code="grant_revoked")
    for pk in (later.pk, other.pk, uuid4()):
        assert client.get(reverse("mailaccounts:receipt", args=[pk])).status_code == 404


def test_what_happens_meanwhile_is_told(client: Client, account: MailAccount, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody deletes the account between the look-up and the deed."""
    original = disconnecting.cut

    def meanwhile(account_id: int, **options: Any) -> Any:
        MailAccount.objects.all().delete()
        return original(account_id, **options)

    monkeypatch.setattr(disconnecting, "cut", meanwhile)
    code, _ = problem(client.post(page_of(account), {"mail": "keep"}))
    assert code == "account_changed"


def test_the_receipt_of_a_departure_says_why(account: MailAccount, client: Client) -> None:
    entry = cut(account.pk, reason=Reason.DEACTIVATED)
    assert entry is not None
    page = text(client.get(reverse("mailaccounts:receipt", args=[entry.pk])))
    assert "this installation, because its owner was deactivated" in page
