"""Messages that make trouble are set aside, tried again a few times, shown, and released by one click."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from django.contrib.auth.models import Permission
from django.utils import timezone

from mailaccounts.models import Fault, Quarantined
from mailaccounts.rules.backoff import again_after
from mailaccounts.services.syncing import quarantine
from mailaccounts.services.syncing.quarantine import Troublesome
from tests.app.builders import make_account, make_credential, make_message, make_quarantined, make_user

if TYPE_CHECKING:
    from django.test import Client
    from pytest_django import DjangoAssertNumQueries

    from mailaccounts.models import Folder, MailAccount

pytestmark = pytest.mark.django_db


@pytest.fixture
def account() -> MailAccount:
    account = make_account()
    make_credential(account)
    return account


@pytest.fixture
def folder(account: MailAccount) -> Folder:
    folder: Folder = account.folders.create(name="INBOX", role="inbox", uidvalidity=7)
    return folder


def put(folder: Folder, *uids: int, fault: Fault = Fault.UNREADABLE) -> None:
    quarantine.put(folder.pk, 7, [Troublesome(uid=uid, fault=fault, size=100) for uid in uids], rows={})


def page(client: Client, account: MailAccount) -> str:
    client.force_login(account.owner)
    return " ".join(client.get(f"/settings/email-accounts/{account.pk}/set-aside/").content.decode().split())


def test_a_message_is_tried_again_less_and_less_often_and_then_no_more(folder: Folder) -> None:
    pauses = []
    for _ in range(6):
        put(folder, 5)
        row = Quarantined.objects.get()
        pauses.append(row.next_attempt_at and round((row.next_attempt_at - timezone.now()).total_seconds() / 60))
    assert pauses == [12, 60, 360, 1440, 4320, None]
    assert again_after(400) is None


def test_however_many_make_trouble_at_once_it_takes_two_queries(
    folder: Folder, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(2):
        put(folder, *range(1, 300))
    with django_assert_num_queries(2):
        put(folder, *range(200, 500))
    assert Quarantined.objects.filter(attempts=2).count() == 100


def test_only_what_is_due_is_tried_again(account: MailAccount, folder: Folder) -> None:
    put(folder, 1, 2, 3)
    assert quarantine.due_of(account) == {}
    Quarantined.objects.filter(uid__in=[1, 3]).update(next_attempt_at=timezone.now() - timedelta(seconds=1))
    make_quarantined(account, uidvalidity=6, uid=9, next_attempt_at=timezone.now())
    assert quarantine.due_of(account) == {folder.pk: [3, 1]}


def test_the_row_of_a_stored_message_is_known(account: MailAccount, folder: Folder) -> None:
    message = make_message(account)
    found = Troublesome(uid=4, fault=Fault.UNFETCHABLE, fingerprint=message.fingerprint)
    quarantine.put(folder.pk, 7, [found], rows={message.fingerprint: message.pk})
    assert Quarantined.objects.get().message == message


def test_the_owner_sees_what_is_set_aside_and_why(client: Client, account: MailAccount) -> None:
    assert "Nothing is set aside" in page(client, account)
    moment = timezone.now()
    make_quarantined(account, fault=Fault.UNFETCHABLE, size=2048, received_at=moment, next_attempt_at=moment)
    make_quarantined(account, message=make_message(account, subject="Offer <b>"), attempts=5)
    shown = page(client, account)
    assert "A message in INBOX" in shown
    assert "The mail server lists it, but doesn&#x27;t hand it out." in shown
    assert "2.0 KB" in shown
    assert "Offer &lt;b&gt;" in shown
    assert "Tried 5 times · Not tried again by itself" in shown
    state = client.get(f"/settings/email-accounts/{account.pk}/").content.decode()
    assert "2 messages set aside" in state


def test_one_click_has_a_message_tried_again_at_once(client: Client, account: MailAccount) -> None:
    one, other = (make_quarantined(account, attempts=5) for _ in range(2))
    client.force_login(account.owner)
    client.post(f"/settings/email-accounts/{account.pk}/set-aside/", {"one": one.pk})
    account.refresh_from_db()
    assert account.next_sync_at is not None
    assert account.next_sync_at <= timezone.now()
    assert quarantine.due_of(account) == {one.folder_id: [one.uid]}
    client.post(f"/settings/email-accounts/{account.pk}/set-aside/")
    assert sorted(quarantine.due_of(account)[one.folder_id]) == sorted([one.uid, other.uid])


@pytest.mark.parametrize("one", ["", "x", "9" * 30, "0"])
def test_releasing_what_is_not_there_says_so(client: Client, account: MailAccount, one: str) -> None:
    theirs = make_quarantined(make_account(), attempts=5)
    client.force_login(account.owner)
    response = client.post(f"/settings/email-accounts/{account.pk}/set-aside/", {"one": one or theirs.pk}, follow=True)
    assert "nothing left to try again" in response.content.decode()
    theirs.refresh_from_db()
    assert theirs.next_attempt_at is None


def test_staff_with_the_permission_has_messages_tried_again_without_seeing_what_they_are(client: Client) -> None:
    account = make_account()
    row = make_quarantined(account, message=make_message(account, subject="Confidential"), attempts=5)
    staff = make_user()
    staff.is_staff = True
    staff.save()
    staff.user_permissions.add(Permission.objects.get(codename="view_quarantined"))
    client.force_login(staff)
    address = "/admin/mailaccounts/quarantined/"
    asked = {"action": "try_again", "_selected_action": [row.pk]}
    client.post(address, asked)
    assert quarantine.due_of(account) == {}
    staff.user_permissions.add(Permission.objects.get(codename="release_quarantined"))
    for each in (address, f"{address}{row.pk}/change/"):
        assert "Confidential" not in client.get(each).content.decode()
    client.post(address, asked)
    assert quarantine.due_of(account) == {row.folder_id: [row.uid]}
