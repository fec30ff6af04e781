"""The pages of campaigns: for whom they are, what they show, what their buttons do."""

from __future__ import annotations

import csv
import io
import re
from datetime import date, timedelta
from html import unescape
from typing import TYPE_CHECKING, Any

import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.http import HttpResponse
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from mailaccounts.errors import MailboxDiffers
from mailaccounts.models import MigrationRun, MigrationStep
from mailaccounts.services.moving import steps
from tests.app.builders import make_account, make_client, make_message, make_user
from tests.app.campaigns import lets_in, make_administrator, make_campaign, make_movable, step_of
from tests.app.pages import problem

if TYPE_CHECKING:
    from django.test import Client

    from mailaccounts.models import OAuthClient

pytestmark = pytest.mark.django_db

CAMPAIGNS = "/settings/email-accounts/campaigns/"
DIFFERS = steps.trouble(MailboxDiffers(address="anna@org.test", what="it has other folders"))


@pytest.fixture
def admin(client: Client) -> Client:
    """The browser of somebody who may move accounts."""
    client.force_login(make_administrator())
    return client


@pytest.fixture
def registration() -> OAuthClient:
    return make_client()


def words(response: HttpResponse) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", response.content.decode())).split())


def figures(response: HttpResponse, kind: str) -> dict[str, int]:
    found = re.findall(rf'data-{kind}="(\w+)">([\d,]+)<', response.content.decode())
    return {name: int(number) for name, number in found}


def press(admin: Client, run: MigrationRun, action: str) -> str:
    """Presses a button of the board; what the page says then."""
    return words(admin.post(f"{CAMPAIGNS}{run.pk}/", {"action": action}, follow=True))


# --- for whom ------------------------------------------------------------------------------------------------------


def person(kind: str, account: Any) -> Any:
    user = account.owner if kind == "the owner" else make_user()
    user.is_staff = kind.startswith(("staff", "superuser"))
    user.is_superuser = kind == "superuser"
    user.is_active = kind != "deactivated staff"
    user.save()
    if kind in {"staff with the permission", "the permission alone"}:
        user.user_permissions.add(Permission.objects.get(codename="change_migrationrun"))
    if kind == "staff with another permission":
        user.user_permissions.add(Permission.objects.get(codename="view_migrationrun"))
    return user


@pytest.mark.parametrize("page", ["", "new/", "{run}/", "{run}/csv/"])
@pytest.mark.parametrize(
    ("kind", "may"),
    [
        ("superuser", True),
        ("staff with the permission", True),
        ("staff with another permission", False),
        ("staff", False),
        ("the permission alone", False),
        ("the owner", False),
        ("a stranger", False),
    ],
)
def test_campaigns_are_for_staff_who_may_move_accounts(client: Client, kind: str, may: bool, page: str) -> None:
    account = make_movable("anna@org.test")
    run = make_campaign(account)
    client.force_login(person(kind, account))
    target = CAMPAIGNS + page.format(run=run.pk)
    assert client.get(target).status_code == (200 if may else 404)
    assert client.get(target, headers={"HX-Request": "true"}).status_code == (200 if may else 404)
    if not may:
        assert client.post(target, {"action": "start_rest", "create": "", "domain": "org.test"}).status_code == 404
        assert run.steps.get().next_at is None
        assert MigrationRun.objects.count() == 1


def test_a_migration_that_its_owner_began_is_theirs(admin: Client) -> None:
    run = make_campaign(make_movable("anna@org.test"))
    MigrationRun.objects.update(by_owner=True)
    assert admin.get(f"{CAMPAIGNS}{run.pk}/").status_code == 404
    assert "Spring" not in words(admin.get(CAMPAIGNS))


def test_staff_see_no_mail(admin: Client) -> None:
    account = make_movable("anna@org.test", stage="Reading Divorce")
    make_message(account, subject="Private matters")
    run = make_campaign(account)
    step = step_of(run, account)
    step.snapshot = step.certificate = {"folders": [{"name": "Divorce"}]}
    step.save()
    for page in (f"{CAMPAIGNS}{run.pk}/", f"{CAMPAIGNS}{run.pk}/csv/"):
        shown = admin.get(page).content.decode()
        assert "anna@org.test" in shown
        assert "Divorce" not in shown
        assert "Private" not in shown


def test_what_is_pressed_wants_the_password_again(
    admin: Client, monkeypatch: pytest.MonkeyPatch, registration: OAuthClient
) -> None:
    run = make_campaign(make_movable(), client=registration)
    monkeypatch.setattr("crm.hooks.CrmHooks.reauthenticate", lambda *_: HttpResponse("Who are you?"))
    assert admin.post(f"{CAMPAIGNS}{run.pk}/", {"action": "start_rest"}).content == b"Who are you?"
    assert run.steps.get().next_at is None
    assert "Spring" in words(admin.get(f"{CAMPAIGNS}{run.pk}/"))
    assert admin.get(f"{CAMPAIGNS}new/").content == b"Who are you?"


# --- a new one -----------------------------------------------------------------------------------------------------


def choose(admin: Client, registration: OAuthClient, **data: Any) -> HttpResponse:
    return admin.post(f"{CAMPAIGNS}new/", {"client": registration.pk, "to": "xoauth2", **data})


def test_readiness_is_shown_before_anything_is_created(admin: Client, registration: OAuthClient) -> None:
    lets_in(registration)
    make_movable("anna@org.test")
    make_movable("ben@elsewhere.test")
    make_movable("cleo@gmx.de", imap_host="imap.gmx.net")
    data = {"addresses": "anna@org.test, ben@elsewhere.test\ncleo@gmx.de; nobody@org.test"}
    response = choose(admin, registration, to="app_only", **data)
    assert figures(response, "count") == {"at_once": 1, "owner": 1, "cannot": 1}
    shown = words(response)
    assert "Not connected here: nobody@org.test" in shown
    assert "doesn't take a sign-in by consent" in shown
    assert not MigrationRun.objects.exists()


def test_a_campaign_begins_with_a_pilot_group_and_has_not_started(admin: Client, registration: OAuthClient) -> None:
    anna, ben = make_movable("anna@org.test"), make_movable("ben@org.test")
    data = {"domain": "org.test", "name": "Spring", "create": "", "pilot": str(ben.pk)}
    response = choose(admin, registration, **data)
    run = MigrationRun.objects.get()
    assert response["Location"] == f"{CAMPAIGNS}{run.pk}/"
    assert not step_of(run, anna).pilot
    assert step_of(run, ben).pilot
    assert not run.steps.exclude(next_at=None).exists()
    assert "Start the pilot group (1)" in words(admin.get(response["Location"]))


def test_choosing_nothing_is_no_campaign_of_everybody(admin: Client, registration: OAuthClient) -> None:
    make_movable()
    response = choose(admin, registration, create="")
    assert problem(response)[0] == "nothing_chosen"
    assert not MigrationRun.objects.exists()


def test_a_campaign_of_nobody_says_why(admin: Client, registration: OAuthClient) -> None:
    make_account(address="anna@org.test", status="disconnected")
    response = choose(admin, registration, domain="org.test", create="")
    assert problem(response)[0] == "nobody_moves"
    assert "is disconnected" in words(response)


@pytest.mark.parametrize(
    "data",
    [{"to": "password"}, {"client": "nonsense"}, {"provider": "nonsense"}, {"random_pilots": "-1"}, {"pilot": "x"}],
)
def test_nonsense_is_refused_in_words(admin: Client, registration: OAuthClient, data: dict[str, str]) -> None:
    make_movable("anna@org.test")
    response = choose(admin, registration, domain="org.test", **data)
    assert response.status_code == 200
    assert not MigrationRun.objects.exists()


# --- the board -----------------------------------------------------------------------------------------------------


def test_the_board_says_in_words_where_everybody_is(admin: Client) -> None:
    accounts = [make_movable(f"{name}@org.test") for name in ("anna", "ben", "cleo")]
    run = make_campaign(*accounts, pilot={accounts[1].pk})
    MigrationStep.objects.filter(account=accounts[0]).update(state="failed", **DIFFERS)
    over = timezone.now() - timedelta(hours=1)
    MigrationStep.objects.filter(account=accounts[1]).update(state="invited", reminders=2, invited_until=over)
    response = admin.get(f"{CAMPAIGNS}{run.pk}/")
    assert figures(response, "state") == {"chosen": 1, "invited": 1, "failed": 1}
    shown = words(response)
    assert "opens another mailbox than the one that anna@org.test uses" in shown
    assert "The invitation has expired." in shown
    assert "Try again (2)" in shown


def test_it_moves_by_itself_while_something_moves(admin: Client) -> None:
    account = make_movable()
    run = make_campaign(account)
    board = f"{CAMPAIGNS}{run.pk}/"
    assert "hx-trigger" not in admin.get(board).content.decode()
    press(admin, run, "start_rest")
    assert 'hx-trigger="every 2s"' in admin.get(board).content.decode()
    MigrationStep.objects.update(state="invited")
    response = admin.get(board, headers={"HX-Request": "true"})
    page = response.content.decode()
    assert 'hx-trigger="every 15s"' in page
    assert page.lstrip().startswith('<div id="campaign-board"')
    assert "HX-Request" in response["Vary"]
    assert "Refresh to see how far it is" in page
    MigrationStep.objects.update(state="switched")
    assert "hx-trigger" not in admin.get(board).content.decode()


def test_the_announced_end_and_the_projected_finish(admin: Client) -> None:
    accounts = [make_movable() for _ in range(4)]
    run = make_campaign(*accounts)
    now = timezone.now()
    MigrationRun.objects.update(deadline=date(2030, 1, 15))
    moved = MigrationStep.objects.filter(account=accounts[0])
    moved.update(state="switched", consented_at=now - timedelta(days=1), switched_at=now)
    shown = words(admin.get(f"{CAMPAIGNS}{run.pk}/"))
    assert "15 January 2030" in shown
    assert f"it is done on {now + timedelta(days=3):%-d %B %Y}" in shown
    assert "after that end" not in shown
    MigrationRun.objects.update(deadline=now.date())
    assert "after that end" in words(admin.get(f"{CAMPAIGNS}{run.pk}/"))


def test_a_thousand_accounts_take_as_many_queries_as_three(admin: Client) -> None:
    run = make_campaign(*(make_movable() for _ in range(3)))
    board = f"{CAMPAIGNS}{run.pk}/"
    admin.get(board)
    with CaptureQueriesContext(connection) as few:
        admin.get(board)
    account = run.steps.first().account
    MigrationStep.objects.bulk_create(
        MigrationStep(run=run, account=account, address=f"user-{number}@org.test", state="switched")
        for number in range(1000)
    )
    with CaptureQueriesContext(connection) as many:
        response = admin.get(board)
    assert len(many) == len(few) <= 9
    assert not any('"snapshot"' in query["sql"] for query in many), "they are large, and name folders"
    assert response.content.decode().count('<li class="account-row"') == 50
    assert "Page 1 of 21" in words(response)
    assert "Page 20 of 20" in words(admin.get(f"{board}?state=switched&page=99"))


# --- its buttons -----------------------------------------------------------------------------------------------------


def test_the_buttons_say_what_they_did(admin: Client) -> None:
    anna, ben = make_movable("anna@org.test"), make_movable("ben@org.test")
    run = make_campaign(anna, ben, pilot={anna.pk})
    assert "The pilot group starts: 1 account." in press(admin, run, "start_pilot")
    assert "The move starts for 1 account." in press(admin, run, "start_rest")
    assert "The move starts for 0 accounts." in press(admin, run, "start_rest")
    assert "The campaign is paused." in press(admin, run, "pause")
    assert "The campaign goes on." in press(admin, run, "go_on")
    MigrationStep.objects.filter(account=anna).update(state="failed", code="permission_missing")
    assert "1 account will be tried again." in press(admin, run, "retry")
    MigrationStep.objects.filter(account=anna).update(state="failed")
    assert "The owners of 1 account are invited." in press(admin, run, "ask_owners")
    MigrationStep.objects.filter(account=ben).update(state="switched")
    assert "Rolling back 0 accounts." in press(admin, run, "roll_back_pilot")
    assert "Going back" in press(admin, run, "roll_back")
    assert "1 account won't move" in press(admin, run, "cancel")
    assert press(admin, run, "nonsense")


# --- CSV -------------------------------------------------------------------------------------------------------------


def test_the_csv_has_everybody_and_nothing_that_a_spreadsheet_would_run(admin: Client) -> None:
    accounts = [make_movable("=1+1@org.test"), make_movable("+cmd@org.test"), make_movable("anna@org.test")]
    accounts[0].owner.username = "@SUM(A1)"
    accounts[0].owner.save()
    run = make_campaign(*accounts)
    MigrationStep.objects.filter(account=accounts[2]).update(state="failed", **DIFFERS)
    response = admin.get(f"{CAMPAIGNS}{run.pk}/csv/")
    assert response["Content-Type"].startswith("text/csv")
    assert "attachment" in response["Content-Disposition"]
    lines = list(csv.DictReader(io.StringIO(response.content.decode())))
    assert {line["address"] for line in lines} == {"'=1+1@org.test", "'+cmd@org.test", "anna@org.test"}
    assert "'@SUM(A1)" in {line["owner"] for line in lines}
    (anna,) = (line for line in lines if line["address"] == "anna@org.test")
    assert anna["state"] == "failed"
    assert "opens another mailbox" in anna["words"]
    assert not any(cell.startswith(("=", "+", "-", "@")) for line in lines for cell in line.values())


# --- in the admin ----------------------------------------------------------------------------------------------------


def test_the_admin_leads_to_the_board(client: Client) -> None:
    boss = make_user()
    boss.is_staff = boss.is_superuser = True
    boss.save()
    client.force_login(boss)
    run = make_campaign(make_movable("anna@org.test"))
    page = client.get("/admin/mailaccounts/migrationrun/").content.decode()
    assert f'href="{CAMPAIGNS}{run.pk}/"' in page
    assert f'href="{CAMPAIGNS}"' in page
    assert client.get(f"/admin/mailaccounts/migrationrun/{run.pk}/change/").status_code == 200
    assert client.get("/admin/mailaccounts/migrationrun/add/").status_code == 403
