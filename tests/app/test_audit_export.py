"""The audit trail can be taken along, by those who may, and that it was is in it."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any

import pytest
from django.core.management import CommandError, call_command

from mailaccounts.models import AuditAction, AuditEntry, MailAccount
from mailaccounts.services.trail import audit, looks, signatures
from mailaccounts.services.trail.signatures import Verdict
from tests.app.builders import make_account, make_message, make_user
from tests.app.staff import make_staff

if TYPE_CHECKING:
    from django.test import Client

pytestmark = pytest.mark.django_db

EXPORT = "/admin/mailaccounts/auditentry/export/"


@pytest.fixture
def account() -> MailAccount:
    """One with a past, in which somebody looked at a message."""
    account = make_account(make_user("olga"), "olga@example.test")
    audit.note(AuditAction.CONNECTED, account, actor=account.owner, backend="=cmd()")
    audit.note(AuditAction.PAUSED, account, actor=make_user("sam"))
    message = make_message(account, subject="The merger")
    looks.note(message, viewer=make_user("tina"), why="Read the conversation")
    audit.note(AuditAction.PAUSED, make_account(address="other@example.test"))
    return account


@pytest.fixture
def auditor(client: Client) -> Client:
    client.force_login(make_staff("auditor", "view_auditentry", "export_auditentry"))
    return client


def body(response: Any) -> str:
    assert response.status_code == 200
    return b"".join(response.streaming_content).decode()


def run(*arguments: str) -> str:
    out = io.StringIO()
    call_command("export_audit", *arguments, stdout=out)
    return out.getvalue()


def test_the_command_tells_everything_in_order_and_no_content(account: MailAccount) -> None:
    told = [json.loads(line) for line in run("--json", "--account", "Olga@example.test").splitlines()]
    assert [(line["action"], line["actor"]) for line in told] == [
        ("connected", "olga"), ("paused", "sam"), ("looked", "tina"),
    ]  # fmt: skip
    assert {(line["owner"], line["account"], line["address"]) for line in told} == {
        ("olga", account.pk, "olga@example.test")
    }
    assert told[2]["facts"]["why"] == "Read the conversation"
    assert "merger" not in run("--json")


def test_days_narrow_it_down_and_have_to_be_days(account: MailAccount) -> None:
    assert len(run("--since", "2020-01-01").splitlines()) == 6  # its own export included, under the heads
    assert len(run("--until", "2020-01-01").splitlines()) == 1
    with pytest.raises(CommandError, match="is not a day"):
        run("--since", "yesterday")
    with pytest.raises(CommandError, match="is not a day"):
        run("--until", "9999-12-31")  # there is no day after it
    with pytest.raises(CommandError, match="Give the earlier day with --since"):
        run("--since", "2026-01-02", "--until", "2026-01-01")
    assert len(run("--since", "2026-01-01", "--until", "2026-01-01").splitlines()) == 1
    with pytest.raises(CommandError, match="Nothing is noted of a mailbox"):
        run("--account", "unknown@example.test")


def test_the_admin_hands_out_what_is_listed(account: MailAccount, auditor: Client) -> None:
    page = auditor.get("/admin/mailaccounts/auditentry/?action__exact=paused").content.decode()
    assert f'action="{EXPORT}?action__exact=paused"' in page
    rows = list(csv.DictReader(io.StringIO(body(auditor.post(f"{EXPORT}?action__exact=paused", {"form": "csv"})))))
    assert [(row["action"], row["address"]) for row in rows] == [
        ("paused", "olga@example.test"), ("paused", "other@example.test"),
    ]  # fmt: skip
    told = [json.loads(line) for line in body(auditor.post(EXPORT, {"form": "json"})).splitlines()]
    assert {line["action"] for line in told} == {"connected", "paused", "trail_exported"}
    noted = AuditEntry.objects.filter(action="trail_exported", actor__username="auditor")
    assert [signatures.check(each)[1] for each in noted] == [Verdict.VALID, Verdict.VALID]


def test_whoever_may_only_look_does_not_get_it(client: Client) -> None:
    client.force_login(make_staff("support", "view_auditentry"))
    assert "Export as" not in client.get("/admin/mailaccounts/auditentry/").content.decode()
    assert client.post(EXPORT, {"form": "csv"}).status_code == 403
    client.force_login(make_staff("other", "export_auditentry"))
    assert client.post(EXPORT, {"form": "csv"}).status_code == 403
    assert not AuditEntry.objects.exists()


def test_a_spreadsheet_runs_no_cell(auditor: Client) -> None:
    audit.note(AuditAction.CONNECTED, make_account(address="=1+1@example.test"))
    assert "'=1+1@example.test" in body(auditor.post(EXPORT, {"form": "csv"}))
