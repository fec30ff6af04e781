"""Processes that renew one grant over and over, against a provider that rotates refresh tokens and ends a grant whose
old one comes again: its own books tell how often each was used."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from django.utils import timezone

from mailaccounts.models import Grant, GrantStatus
from mailaccounts.services.signing_in.tokens import GrantTokens
from tests.sandbox_crm import make_real_grant, process_environment, world_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_django.fixtures import SettingsWrapper

    from mailaccounts.testing.sandbox import Sandbox
    from tests.sandbox_fixtures import SandboxMailbox

pytestmark = pytest.mark.django_db(transaction=True)

TOKEN_SECONDS = 4
WORKER = """
import sys, time, uuid
import django
django.setup()
from mailaccounts.services.signing_in.tokens import GrantTokens
grant, how, amount = sys.argv[1:]
source = GrantTokens(uuid.UUID(grant))
print("ready", flush=True)
sys.stdin.readline()
if how == "refused":
    for _ in range(int(amount)):
        source.access_token(fresh=True)
else:
    source.access_token()
    until = time.monotonic() + float(amount)
    while time.monotonic() < until:
        source.access_token()
        time.sleep(0.05)
"""


@pytest.fixture
def grant(sandbox: Sandbox, settings: SettingsWrapper, mailbox: SandboxMailbox) -> Iterator[Grant]:
    settings.MAILACCOUNTS = world_of(sandbox, settings.MAILACCOUNTS)
    yield make_real_grant(mailbox)
    sandbox.idp.faults.reset()


def run(mailbox: SandboxMailbox, grant: Grant, *, processes: int, how: str, amount: float) -> None:
    """Lets so many processes ask for tokens at the same time; none may fail."""
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", WORKER, str(grant.pk), how, str(amount)],
            env=process_environment(mailbox.sandbox),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(processes)
    ]
    for worker in workers:
        assert worker.stdout
        assert worker.stdout.readline() == "ready\n"
    for worker in workers:
        assert worker.stdin
        worker.stdin.write("go\n")
        worker.stdin.flush()
    said = [worker.communicate(timeout=900)[1] for worker in workers]
    assert [worker.returncode for worker in workers] == [0] * processes, said


def refresh_tokens(mailbox: SandboxMailbox) -> tuple[int, int]:
    """How many the provider ever issued to the mailbox's user, and how many of them still work."""
    tokens = "FROM oauth2_provider_refreshtoken t JOIN auth_user u ON u.id = t.user_id WHERE u.username = ?"
    with closing(sqlite3.connect(mailbox.sandbox.directory / "idp.sqlite3", timeout=30)) as books:
        issued = books.execute(f"SELECT count(*) {tokens}", [mailbox.address]).fetchone()[0]
        working = books.execute(f"SELECT count(*) {tokens} AND t.revoked IS NULL", [mailbox.address]).fetchone()[0]
    return issued, working


@pytest.mark.parametrize(("processes", "times"), [(3, 6), pytest.param(8, 200, marks=pytest.mark.soak)])
def test_refused_over_and_over_no_rotation_is_lost_and_no_refresh_token_used_twice(
    grant: Grant, mailbox: SandboxMailbox, processes: int, times: int
) -> None:
    run(mailbox, grant, processes=processes, how="refused", amount=times)
    after = Grant.objects.get(pk=grant.pk)
    assert after.status == GrantStatus.ACTIVE
    assert times <= after.version <= processes * times
    # One for the consent and one for each rotation that we know of: a second use would have ended them all.
    assert refresh_tokens(mailbox) == (after.version + 1, 1)
    assert GrantTokens(grant.pk).access_token(fresh=True).value


@pytest.mark.parametrize(("processes", "seconds"), [(3, 5.0), pytest.param(8, 120.0, marks=pytest.mark.soak)])
def test_no_more_tokens_are_minted_than_their_lifetime_requires(
    grant: Grant, mailbox: SandboxMailbox, processes: int, seconds: float
) -> None:
    mailbox.sandbox.idp.faults.shorten_tokens(TOKEN_SECONDS)
    now = timezone.now()
    Grant.objects.update(refreshed_at=now - timedelta(hours=1), expires_at=now)
    run(mailbox, grant, processes=processes, how="expired", amount=seconds)
    took = (timezone.now() - now).total_seconds()
    minted = Grant.objects.get(pk=grant.pk).version
    assert seconds / TOKEN_SECONDS <= minted <= 1 + took / (TOKEN_SECONDS * 3 / 4)
    assert refresh_tokens(mailbox) == (minted + 1, 1)
