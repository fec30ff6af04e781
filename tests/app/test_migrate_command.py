"""migrate_mailboxes: what a dry run says, what a real one does, for people and for programs."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import pytest
from django.core import mail
from django.core.management import CommandError, call_command

from mailaccounts.models import CredentialState, MigrationRun
from tests.app.builders import make_account, make_client
from tests.app.campaigns import lets_in, make_movable, make_owner
from tests.app.organisations import let_in, registered
from tests.sandbox_crm import connect_by_password

if TYPE_CHECKING:
    from tests.sandbox_fixtures import SandboxMailbox

pytestmark = pytest.mark.django_db(transaction=True)


def run(*arguments: str) -> tuple[int, list[dict[str, Any]], str]:
    """Exit status, the JSON lines, and what was printed."""
    out, status = io.StringIO(), 0
    try:
        call_command("migrate_mailboxes", *arguments, stdout=out, stderr=io.StringIO())
    except SystemExit as ended:
        status = int(ended.code or 0)
    except CommandError as error:
        return error.returncode, [], str(error)
    text = out.getvalue()
    return status, [json.loads(line) for line in text.splitlines() if line.startswith("{")], text


def test_a_dry_run_says_how_each_would_move_and_changes_nothing() -> None:
    lets_in(make_client())
    make_movable("anna@org.test")
    make_movable("ben@elsewhere.test")
    make_movable("cleo@gmx.de", imap_host="imap.gmx.net")
    named = ("anna@org.test", "ben@elsewhere.test", "cleo@gmx.de")
    status, lines, _ = run(*named, "--to", "app_only", "--dry-run", "--json")
    assert status == 1
    assert {line["account"]: line["moves"] for line in lines} == {
        "anna@org.test": "at_once",
        "ben@elsewhere.test": "owner",
        "cleo@gmx.de": "cannot",
    }
    (cleo,) = (line for line in lines if line["account"] == "cleo@gmx.de")
    assert cleo["error"]["code"] == "no_consent_there"
    assert (cleo["before"], cleo["provider"]) == ("password", "GMX")
    assert run("--domain", "org.test", "--to", "app_only", "--dry-run")[0] == 0
    assert not MigrationRun.objects.exists()
    assert mail.outbox == []


def test_a_dry_run_for_people_is_a_table() -> None:
    make_client()
    make_movable("anna@org.test")
    _, _, text = run("--domain", "org.test", "--to", "xoauth2", "--dry-run")
    assert "needs its owner" in text
    assert "anna@org.test" in text


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--to", "xoauth2"], "Name the mailboxes to move"),
        (["anna@org.test", "--domain", "org.test", "--to", "xoauth2"], "Name the mailboxes to move"),
        (["nobody@org.test", "--to", "xoauth2"], "no mail account nobody@org.test. Check how it is spelled."),
        (["--domain", "nowhere.test", "--to", "xoauth2"], "at nowhere.test. Check how it is spelled."),
        (["--provider", "nosuch", "--to", "xoauth2"], "of nosuch. A provider goes by its slug, such as microsoft."),
    ],
)
def test_a_usage_error_is_status_2_and_says_what_to_do(arguments: list[str], words: str) -> None:
    make_movable("anna@org.test")
    status, _, said = run(*arguments)
    assert status == 2
    assert words in said


def test_owners_are_invited_and_the_campaign_has_a_board() -> None:
    make_client()
    anna = make_movable("anna@org.test")
    status, lines, _ = run("anna@org.test", "--to", "xoauth2", "--json")
    assert status == 0
    assert [(line["account"], line["state"], line["error"]) for line in lines] == [("anna@org.test", "invited", None)]
    assert mail.outbox[0].to == [anna.owner.email]
    campaign = MigrationRun.objects.get()
    assert campaign.name.startswith("migrate_mailboxes")
    assert not campaign.by_owner
    status, lines, _ = run("anna@org.test", "--to", "xoauth2", "--json")  # once more
    assert status == 0
    assert lines[0]["error"]["code"] == "already_moving"
    assert len(mail.outbox) == 1


def test_one_that_can_not_move_is_status_1_and_the_others_do() -> None:
    make_client()
    make_movable("anna@org.test")
    make_account(address="ben@org.test", status="disconnected")
    status, lines, _ = run("--domain", "org.test", "--to", "xoauth2", "--json")
    assert status == 1
    assert {line["account"]: line["state"] for line in lines} == {"anna@org.test": "invited", "ben@org.test": ""}


def test_an_organisations_accounts_move_in_the_foreground(world: Any, anna: SandboxMailbox) -> None:
    sandbox = anna.sandbox
    let_in(registered(sandbox.idp, authority=f"{sandbox.idp.authority}/organizations"), sandbox.idp)
    account = connect_by_password(anna, make_owner())
    status, lines, _ = run(anna.address, "--to", "app_only", "--json")
    assert (status, lines[0]["state"], lines[0]["after"]) == (0, "switched", "app_only")
    assert account.credentials.get(state=CredentialState.ACTIVE).backend == "app_only"
    assert mail.outbox == []
    status, lines, _ = run(anna.address, "--to", "app_only", "--json")
    assert (status, lines[0]["error"]["code"]) == (0, "on_it_already")
