"""Nothing of a mailbox is read until its owner has said how far back: whatever asks for a sync meanwhile."""

from __future__ import annotations

import io
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django_q.models import OrmQ

from mailaccounts.models import MailAccount, Preview
from mailaccounts.services.checking.compare import compare_account
from mailaccounts.services.connecting.begin import begin
from mailaccounts.services.connecting.connect import reconnect
from mailaccounts.services.connecting.disconnect import disconnect
from mailaccounts.services.syncing.due import enqueue_due, sync_soon
from mailaccounts.services.syncing.preview import ask
from mailaccounts.services.syncing.sync import sync_account
from tests.app.builders import make_account, make_credential, make_user
from tests.app.pages import connect_data
from tests.crm.builders import make_contact

if TYPE_CHECKING:
    from collections.abc import Iterable

    from django.http import HttpResponse

    from mailaccounts.testing.sandbox import Sandbox
    from tests.sandbox_fixtures import SandboxMailbox

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def account(client: Client) -> MailAccount:
    account = make_account(begun=False)
    make_credential(account)
    client.force_login(account.owner)
    return account


def page(account: MailAccount) -> str:
    return f"/settings/email-accounts/{account.pk}/begin/"


def press(client: Client, account: MailAccount, **data: str) -> HttpResponse:
    response = client.post(page(account), data, follow=True)
    account.refresh_from_db()
    return response


def counted(account: MailAccount, people: Iterable[tuple[str, int]] = (), **columns: Any) -> Preview:
    figures = {"examined": 900, "matched": 40, "known": 2, "ended": "complete", **columns}
    return Preview.objects.create(
        account=account, asked_at=timezone.now(), people=[list(each) for each in people], **figures
    )


def test_a_mailbox_that_is_connected_waits_for_the_question_to_be_answered(
    world: Sandbox, mailbox: SandboxMailbox, client: Client
) -> None:
    client.force_login(make_user())
    response = client.post("/settings/email-accounts/connect/", connect_data(mailbox, since=""), follow=True)
    account = MailAccount.objects.get()
    assert response.redirect_chain == [(page(account), 302)]
    assert "is connected. Nothing of it is read yet." in response.content.decode()
    assert (account.begun, account.next_sync_at, OrmQ.objects.count()) == (False, None, 0)
    overview = client.get(f"/settings/email-accounts/{account.pk}/").content.decode()
    assert "Say how far back" in overview
    assert "Sync now" not in overview


@pytest.mark.parametrize(
    ("chosen", "days"),
    [({"depth": "30"}, 30), ({"depth": "365", "since": "2020-02-02"}, 365), ({"depth": "everything"}, None)],
)
def test_an_answer_starts_the_first_sync(
    client: Client, account: MailAccount, chosen: dict[str, str], days: int | None
) -> None:
    response = press(client, account, **chosen)
    assert "Mail is brought in, the newest first" in response.content.decode()
    assert account.begun
    assert account.since == (timezone.localdate() - timedelta(days=days) if days else None)
    assert OrmQ.objects.count() == 1
    assert client.get(page(account)).status_code == 302


def test_a_day_of_ones_own_is_taken_as_it_is(client: Client, account: MailAccount) -> None:
    press(client, account, depth="day", since="2024-12-24")
    assert str(account.since) == "2024-12-24"


@pytest.mark.parametrize(
    ("chosen", "said"),
    [
        ({"depth": "day"}, "Say since which day."),
        ({"depth": "day", "since": "2999-01-01"}, "This day is still to come."),
        ({"depth": "day", "since": "soon"}, "Enter a valid date."),
        ({"depth": "7000000"}, "Select a valid choice."),
        ({}, "This field is required."),
    ],
)
@pytest.mark.parametrize("button", ["preview", "start"])
def test_what_is_no_answer_is_said_and_nothing_is_read(
    client: Client, account: MailAccount, chosen: dict[str, str], said: str, button: str
) -> None:
    assert said in press(client, account, **chosen, **{button: "yes"}).content.decode()
    assert (account.begun, OrmQ.objects.count(), Preview.objects.count()) == (False, 0, 0)


def test_whatever_asks_for_a_sync_nothing_is_read_before(client: Client, account: MailAccount) -> None:
    sync_soon(account)
    client.post(f"/settings/email-accounts/{account.pk}/sync/")
    assert client.get(f"/settings/email-accounts/{account.pk}/older-mail/")["Location"] == page(account)
    MailAccount.objects.update(next_sync_at=timezone.now())  # as a worker that is lost over a preview leaves it
    assert enqueue_due() == 0
    assert OrmQ.objects.count() == 0
    for found in (sync_account(account.pk).error, compare_account(account.pk).error):
        assert found is not None
        assert found.code == "not_begun"
    account.refresh_from_db()
    assert (account.status, account.failures) == ("new", 0)


def test_the_command_for_all_mailboxes_leaves_it_out(account: MailAccount) -> None:
    out = io.StringIO()
    call_command("sync_mailboxes", "--all", "--json", stdout=out)
    assert out.getvalue() == ""
    with pytest.raises(SystemExit) as failed:
        call_command("sync_mailboxes", account.address, "--json", stdout=out)
    assert failed.value.code == 1
    assert '"code": "not_begun"' in out.getvalue()


def test_reconnecting_doesnt_answer_the_question(world: Sandbox, mailbox: SandboxMailbox, client: Client) -> None:
    client.force_login(make_user())
    client.post("/settings/email-accounts/connect/", connect_data(mailbox, since=""))
    account = MailAccount.objects.get()
    reconnect(account, backend="password", username="", secret=account.credentials.get().secret)
    assert (account.begun, account.next_sync_at, OrmQ.objects.count()) == (False, None, 0)


def test_a_mailbox_that_is_erased_before_it_began_goes(client: Client, account: MailAccount) -> None:
    ask(account, since=None)
    disconnect(account, erase_mail=True, actor=account.owner)
    assert not MailAccount.objects.exists()


def test_a_preview_shows_contacts_by_name_and_goes_when_the_sync_begins(client: Client, account: MailAccount) -> None:
    make_contact("maria@customer.test", name="Maria Anders")
    counted(account, [("maria@customer.test", 1200), ("gone@customer.test", 7)], known=302)
    shown = client.get(page(account)).content.decode()
    assert "Maria Anders" in shown
    assert "1,200" in shown
    assert "gone@customer.test" in shown
    assert "And 300 contacts with fewer messages." in shown
    press(client, account, depth="30")
    assert not Preview.objects.exists()


def test_many_contacts_take_no_more_queries_than_one(client: Client, account: MailAccount) -> None:
    numbers = []
    for known in (1, 150):
        Preview.objects.all().delete()
        counted(account, [(f"somebody{number}@customer.test", 5) for number in range(known)], known=known)
        with CaptureQueriesContext(connection) as queries:
            assert client.get(page(account)).status_code == 200
        numbers.append(len(queries))
    assert numbers[0] == numbers[1] < 10


def test_what_a_preview_was_asked_for_stays_chosen(client: Client, account: MailAccount) -> None:
    press(client, account, depth="day", since="2024-12-24", preview="yes")
    assert OrmQ.objects.count() == 1
    shown = client.get(page(account)).content.decode()
    assert 'value="2024-12-24"' in shown
    assert "Waiting for a worker" in shown
    assert 'hx-trigger="every 2s"' in shown
    Preview.objects.update(asked_at=timezone.now() - timedelta(hours=1))
    assert 'data-preview="lost"' in client.get(page(account)).content.decode()


def test_a_preview_that_failed_says_why(client: Client, account: MailAccount) -> None:
    counted(account, ended="password_rejected", problem="The password was refused.", known=0)
    shown = client.get(page(account)).content.decode()
    assert 'data-code="password_rejected">The password was refused.</div>' in shown


def test_the_question_is_the_owners_alone(account: MailAccount) -> None:
    stranger = Client()
    assert stranger.get(page(account)).status_code == 302
    stranger.force_login(make_user())
    for response in (stranger.get(page(account)), stranger.post(page(account), {"depth": "30"})):
        assert response.status_code == 404
    account.refresh_from_db()
    assert not account.begun


def test_it_begins_once(account: MailAccount) -> None:
    assert begin(account, since=None)
    assert not begin(account, since=timezone.localdate())
    assert not ask(account, since=None)
    account.refresh_from_db()
    assert account.since is None
    assert OrmQ.objects.count() == 1
