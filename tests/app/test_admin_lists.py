"""The admin's lists of accounts and what belongs to them: narrowed down, worked with, and as fast with many rows."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.contrib.messages import get_messages
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from mailaccounts.admin import readonly
from mailaccounts.models import MailAccount, MigrationRun
from tests.app.builders import (
    make_account,
    make_client,
    make_credential,
    make_grant,
    make_message,
    make_opening,
    make_outgoing,
    make_quarantined,
)
from tests.app.campaigns import lets_in
from tests.app.crowd import make_accounts, make_entries
from tests.app.staff import make_staff

if TYPE_CHECKING:
    from django.http import HttpResponse
    from django.test import Client

pytestmark = pytest.mark.django_db

ACCOUNTS = "/admin/mailaccounts/mailaccount/"
SUPPORT = (
    *("view_mailaccount", "operate_mailaccount", "view_grant", "view_tenantaccess", "view_oauthclient"),
    *("view_migrationrun", "change_migrationrun", "view_quarantined", "release_quarantined", "view_outgoing"),
    *("view_auditentry", "view_alarm", "view_webhookdelivery", "resend_webhookdelivery", "off_board_mailaccount"),
)
LISTS = ("mailaccount", "grant", "tenantaccess", "migrationrun", "quarantined", "outgoing", "auditentry")


@pytest.fixture
def support(client: Client) -> Client:
    client.force_login(make_staff("support", *SUPPORT))
    return client


def listed(response: HttpResponse) -> set[str]:
    assert response.status_code == 200
    return {row.address for row in response.context["cl"].result_list}  # type: ignore[attr-defined]  # a test's


def press(client: Client, action: str, *accounts: MailAccount) -> Any:
    return client.post(ACCOUNTS, {"action": action, "_selected_action": [each.pk for each in accounts]})


def told(response: Any) -> str:
    """What was said last."""
    return [str(message) for message in get_messages(response.wsgi_request)][-1]


def some_of_everything(number: int) -> None:
    accounts = make_accounts(number)
    make_entries(number, accounts[0])
    client = make_client()
    for account in accounts[:number]:
        make_outgoing(account)
        make_quarantined(account)
        make_opening(account)
        make_grant(client)
        lets_in(client, f"tenant-{account.pk}")
        MigrationRun.objects.create(to="xoauth2", client=client)


@pytest.mark.parametrize("name", (*LISTS, "breakglass"))
def test_a_list_takes_as_many_queries_with_twenty_rows_as_with_two(boss: Client, name: str) -> None:
    some_of_everything(2)
    boss.get(f"/admin/mailaccounts/{name}/")  # whatever is remembered is remembered now
    with CaptureQueriesContext(connection) as few:
        assert boss.get(f"/admin/mailaccounts/{name}/").status_code == 200
    some_of_everything(18)
    with CaptureQueriesContext(connection) as many:
        assert boss.get(f"/admin/mailaccounts/{name}/").status_code == 200
    assert len(many) == len(few) <= 10


def test_no_list_counts_all_rows(boss: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readonly, "MOST", 5)
    some_of_everything(8)
    for name in (*LISTS, "breakglass"):
        with CaptureQueriesContext(connection) as queries:
            page = boss.get(f"/admin/mailaccounts/{name}/").content.decode()
        counts = [each["sql"] for each in queries if "COUNT(" in each["sql"].upper() and "LIMIT 6" not in each["sql"]]
        assert [sql for sql in counts if "number_of_accounts" not in sql] == [], name
        if name != "tenantaccess":
            assert "There are more: the first 5 are listed." in page, name


def test_all_of_a_long_list_are_no_more_than_are_listed(boss: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mailaccounts.admin.account_actions.MOST", 3)
    accounts = make_accounts(5)
    chosen = {"action": "pause", "_selected_action": [accounts[0].pk], "select_across": "1"}
    assert "3 accounts are paused" in told(boss.post(ACCOUNTS, chosen))
    assert MailAccount.objects.filter(paused_at__isnull=False).count() == 3


def test_accounts_are_narrowed_down_by_how_they_are_doing(support: Client) -> None:
    old, soon = timezone.now() - timedelta(days=2), timezone.now() + timedelta(minutes=5)
    fine = {"status": "ok", "last_sync_at": timezone.now(), "next_sync_at": soon}
    make_credential(make_account(address="fine@a.test", imap_host="imap.gmail.com", **fine), backend="app_password")
    make_credential(make_account(address="silent@a.test", status="ok", last_sync_at=old, next_sync_at=old))
    make_account(address="paused@a.test", **{**fine, "paused_at": old})
    refused = {"status": "needs_owner", "status_code": "password_rejected", "failures": 3, "last_sync_at": old}
    make_credential(make_account(address="refused@a.test", **refused))
    wanted = {
        "course=failing": {"refused@a.test"},
        "course=late": {"silent@a.test"},
        "course=silent": {"silent@a.test", "refused@a.test"},
        "state=paused": {"paused@a.test"},
        "state=ok": {"fine@a.test", "silent@a.test"},
        "sign_in=app_password": {"fine@a.test"},
        "sign_in=none": {"paused@a.test"},
        "provider=google": {"fine@a.test"},
        "provider=other": {"silent@a.test", "paused@a.test", "refused@a.test"},
        "remedy=reconnect": {"refused@a.test"},
        "state=needs_owner": {"refused@a.test"},
        "q=gmail": {"fine@a.test"},
    }
    assert {query: listed(support.get(f"{ACCOUNTS}?{query}")) for query in wanted} == wanted


def test_support_works_with_accounts(support: Client) -> None:
    account = make_credential(make_account(status="ok")).account
    assert told(press(support, "pause", account)) == "1 account is paused: nothing is read until it is resumed."
    assert "Paused" in support.get(ACCOUNTS).content.decode()
    assert "Resume" in support.get(f"{ACCOUNTS}{account.pk}/change/").content.decode()
    assert told(press(support, "sync_now", account)).startswith("Nothing will be synced: what was chosen is paused")
    assert told(press(support, "resume", account)) == "1 account is resumed."
    assert told(press(support, "sync_now", account)) == "1 account will be synced."
    assert told(press(support, "ask_owner", account)).startswith("Nobody is asked")
    page = support.get(press(support, "probe", account).url)
    assert page.status_code == 200
    assert "Start the test" in page.content.decode()
    trail = support.get(f"/admin/mailaccounts/auditentry/?account={account.pk}").content.decode()
    assert "Paused" in trail
    assert "Resumed" in trail
    assert "support" in trail


def test_accounts_that_were_chosen_are_those_a_campaign_begins_with(support: Client) -> None:
    first, second = make_account(address="a@a.test"), make_account(address="b@a.test")
    page = support.get(press(support, "migrate", first, second).url)
    assert page.status_code == 200
    assert page.context["form"]["addresses"].value() == "a@a.test\nb@a.test"


def test_who_may_only_look_finds_nothing_to_press(client: Client) -> None:
    client.force_login(make_staff("auditor", "view_mailaccount", "view_auditentry"))
    account = make_account(status="ok")
    assert 'name="action"' not in client.get(ACCOUNTS).content.decode()
    assert 'name="action"' not in client.get(f"{ACCOUNTS}{account.pk}/change/").content.decode()
    press(client, "pause", account)
    assert client.get(f"{ACCOUNTS}{account.pk}/probe/").status_code == 403
    assert MailAccount.objects.get().paused_at is None


def test_nothing_of_what_mail_says_is_in_the_admin(support: Client) -> None:
    """Whatever support opens: no subject, no participant, nothing of a body, no name of a folder or a file."""
    account = make_credential(make_account(status="ok")).account
    message = make_message(account, subject="MARK-subject", body_text="MARK-text", people="MARK-people")
    message.participants.create(role="from", position=0, address="mark-participant@a.test", name="MARK-name")
    account.folders.create(name="MARK-folder")
    outgoing = make_outgoing(account, subject="MARK-out", body_text="MARK-out-text", message="MARK-out-refused")
    outgoing.recipients.create(role="to", position=0, address="mark-recipient@a.test")
    aside = make_quarantined(account, message=message)
    press(support, "pause", account)
    pages = [f"/admin/mailaccounts/{name}/" for name in LISTS]
    pages += [f"{ACCOUNTS}{account.pk}/{each}/" for each in ("change", "history", "probe")]
    pages += [f"/admin/mailaccounts/{each._meta.model_name}/{each.pk}/change/" for each in (outgoing, aside)]
    for page in ("/admin/", "/admin/mailaccounts/", *pages):
        response = support.get(page)
        assert response.status_code == 200, page
        assert "mark-" not in response.content.decode().lower(), page


def test_what_is_sealed_is_not_even_read(support: Client) -> None:
    make_credential(grant=make_grant(), backend="xoauth2")
    for name in ("mailaccount", "grant"):
        with CaptureQueriesContext(connection) as queries:
            support.get(f"/admin/mailaccounts/{name}/")
        read = " ".join(each["sql"] for each in queries)
        assert "access_token" not in read
        assert "client_secret" not in read
        assert '"mailaccounts_credential"."secret"' not in read


def test_the_permissions_of_support_are_those_of_the_documents() -> None:
    text = (Path(__file__).parents[2] / "docs/pages.md").read_text(encoding="utf-8")
    section = text.partition("### Support")[2].partition("###")[0]
    assert set(re.findall(r"`(\w+)`", section)) == set(SUPPORT)
