"""Machines ask whether the process lives, whether all is there, and for the numbers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.core.cache import cache
from django.db.migrations.recorder import MigrationRecorder
from django.utils import timezone

from mailaccounts import tasks
from mailaccounts.models import Beat, OutgoingState
from tests.app.builders import make_account, make_credential, make_outgoing

if TYPE_CHECKING:
    from django.test import Client
    from pytest_django.fixtures import SettingsWrapper

pytestmark = pytest.mark.django_db

ROOT = Path(__file__).resolve().parents[2]
TOKEN = "a-token-of-the-tests"
UNREACHABLE = """
import django, logging
django.setup()
logging.disable()
from django.test import Client
for page in ("/healthz", "/readyz"):
    answer = Client().get(page, headers={"host": "localhost"})
    print(answer.status_code, answer.content.decode().strip())
"""


@pytest.fixture
def ticking() -> None:
    Beat.objects.create(name="tick", at=timezone.now())


def wrong(client: Client) -> list[str]:
    answer = client.get("/readyz")
    found: list[str] = answer.json()["problems"]
    assert answer.status_code == (503 if found else 200)
    assert answer.json()["ready"] is not bool(found)
    return found


def test_the_process_lives_whatever_else_does_not(client: Client, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(0):
        assert client.get("/healthz").status_code == 200


def test_all_is_there(client: Client, ticking: None) -> None:
    assert wrong(client) == []


def test_a_tick_makes_ready(client: Client) -> None:
    assert wrong(client) == [
        "No worker has ticked yet. Start manage.py qcluster; the first tick takes up to a minute."
    ]
    tasks.tick()
    assert wrong(client) == []


def test_workers_that_stopped_are_missed(client: Client) -> None:
    Beat.objects.create(name="tick", at=timezone.now() - timedelta(minutes=20))
    [sentence] = wrong(client)
    assert sentence.startswith("No worker has ticked for 20 minutes.")


def test_a_migration_that_is_missing_is_told(client: Client, ticking: None) -> None:
    MigrationRecorder.Migration.objects.filter(app="mailaccounts").order_by("-name")[:1].get().delete()
    assert wrong(client) == ["Migrations of mailaccounts aren't applied. Run manage.py migrate."]


def test_a_cache_that_forgets_is_told(client: Client, ticking: None, settings: SettingsWrapper) -> None:
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}}
    assert cache.get("any") is None
    assert wrong(client) == ["The cache forgets what it is told. See the setting CACHES."]


def test_what_is_out_of_reach_is_told_without_its_password(closed_port: int) -> None:
    def ask(**variables: str) -> list[str]:
        environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "crm.settings", "ENV_FILE": os.devnull, "DEBUG": "1"}
        run = subprocess.run(
            [sys.executable, "-c", UNREACHABLE], cwd=ROOT, env={**environment, **variables}, capture_output=True,
            text=True, timeout=120, check=True,
        )  # fmt: skip
        assert "s3cret" not in run.stdout
        return run.stdout.splitlines()

    lives, ready = ask(DATABASE_URL=f"postgres://crm:s3cret@127.0.0.1:{closed_port}/crm")
    assert lives == "200 ok"
    assert ready.startswith("503 ")
    sentence = "The database can't be reached. Start it, or correct DATABASE_URL."
    assert json.loads(ready[4:]) == {"ready": False, "problems": [sentence], "alarms": []}


@pytest.mark.parametrize("given", ["", "Bearer ", "Bearer wrong", "Bearer a-token-of-the-test"])
def test_the_numbers_want_the_token(client: Client, settings: SettingsWrapper, given: str) -> None:
    for token in (TOKEN, ""):
        settings.MAILACCOUNTS = {**settings.MAILACCOUNTS, "METRICS_TOKEN": token}
        assert client.get("/metrics", headers={"authorization": given}).status_code == 404


def scraped(client: Client) -> dict[str, float]:
    answer = client.get("/metrics", headers={"authorization": f"Bearer {TOKEN}"})
    assert answer.status_code == 200
    lines = [line for line in answer.content.decode().splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


def test_the_numbers_are_those_of_the_database(
    client: Client, settings: SettingsWrapper, ticking: None, django_assert_max_num_queries: Any
) -> None:
    settings.MAILACCOUNTS = {**settings.MAILACCOUNTS, "METRICS_TOKEN": TOKEN}
    now = timezone.now()
    for _ in range(3):
        make_credential(make_account(status="ok", last_sync_at=now - timedelta(minutes=5), next_sync_at=now))
    late = now - timedelta(hours=1)
    make_credential(make_account(status="waiting", status_code="server_down", last_sync_at=late, next_sync_at=late))
    refused = make_account(status="needs_owner", status_code="credential_invalid")
    make_outgoing(refused, state=OutgoingState.FAILED)
    with django_assert_max_num_queries(15):
        numbers = scraped(client)
    assert numbers['mailaccounts_accounts{credential="password",state="ok"}'] == 3
    assert numbers['mailaccounts_accounts{credential="none",state="needs_owner"}'] == 1
    assert sum(number for name, number in numbers.items() if name.startswith("mailaccounts_errors{")) == 2
    assert numbers['mailaccounts_outgoing{state="failed"}'] == 1
    assert 290 < numbers['mailaccounts_sync_age_seconds{quantile="0.5"}'] < 900
    assert 3500 < numbers['mailaccounts_sync_lag_seconds{quantile="1"}'] < 4200
    assert numbers["mailaccounts_queue_reachable"] == 1
    assert numbers["mailaccounts_accounts_due"] == 4
    assert 0 <= numbers["mailaccounts_tick_age_seconds"] < 300
