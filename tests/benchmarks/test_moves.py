"""B11: what moving many accounts by their organisation's access costs each, beside moving one account alone.

``B11_ACCOUNTS`` says how many are many: 1,000 take some minutes.
"""

from __future__ import annotations

import os
import statistics
import time
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from django.utils import timezone

from mailaccounts.models import Credential, CredentialState, Grant, MigrationRun, TenantAccess
from mailaccounts.rules.migration_states import MigrationState
from mailaccounts.testing.sandbox import Sandbox
from tests.app.organisations import by_password, let_in, move, registered, tokens_issued
from tests.benchmarks.measure import ROUNDS, Comparison
from tests.sandbox_crm import world_of
from tests.sandbox_fixtures import new_user

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pytest_django.fixtures import SettingsWrapper

    from mailaccounts.models import MailAccount

pytestmark = [pytest.mark.benchmark, pytest.mark.django_db(transaction=True)]

ACCOUNTS = int(os.environ.get("B11_ACCOUNTS", "40"))


@pytest.fixture
def crowd(sandbox_directory: Path, settings: SettingsWrapper) -> Iterator[Sandbox]:
    """A sandbox whose organisation has as many people, and one whose mailbox is closed."""
    people = [new_user() for _ in range(ACCOUNTS + ROUNDS + 1)]
    bird = replace(new_user(), closed_to_apps=True)
    with Sandbox(sandbox_directory, imap="dovecot", users=[*people, bird]) as sandbox:
        settings.MAILACCOUNTS = world_of(sandbox, settings.MAILACCOUNTS)
        access = let_in(registered(sandbox.idp), sandbox.idp, canary=bird.address)
        assert access.is_on
        yield sandbox


def move_alone(account: MailAccount, run: MigrationRun) -> float:
    """Seconds for an account that moves with nobody else: the canary is tried and a token asked for, for it alone."""
    TenantAccess.objects.update(canary_checked_at=timezone.now() - timedelta(hours=25))
    Credential.objects.filter(grant__isnull=False).delete()
    Grant.objects.all().delete()
    started = time.perf_counter()
    assert move(account, run).state == MigrationState.SWITCHED
    return time.perf_counter() - started


def test_an_account_among_many_costs_no_more_than_one_alone(crowd: Sandbox) -> None:
    access = TenantAccess.objects.get()
    run = MigrationRun.objects.create(to="app_only", client=access.client, tenant=access.tenant)
    accounts = [by_password(crowd, user) for user in crowd.users.read().values() if not user.closed_to_apps]
    alone, many = accounts[: ROUNDS + 1], accounts[ROUNDS + 1 :]
    singles = [move_alone(account, run) for account in alone][1:]  # the first is the warm-up

    Credential.objects.filter(grant__isnull=False).delete()
    Grant.objects.all().delete()
    before, started = tokens_issued(crowd), time.perf_counter()
    for account in many:
        assert move(account, run).state == MigrationState.SWITCHED
    seconds = time.perf_counter() - started

    tokens = tokens_issued(crowd) - before
    active = Credential.objects.filter(state=CredentialState.ACTIVE, backend="app_only", account__in=many)
    result = Comparison(
        name=f"B11 one account among {len(many)}",
        ours=seconds / len(many),
        peer_name="one account alone",
        peer=statistics.median(singles),
        must=1.0,
    )
    print(f"\n{result.report()}\n{len(many)} accounts moved in {seconds:.0f} s on {tokens} tokens")  # noqa: T201 - a benchmark is there to be read
    assert active.count() == len(many)
    assert tokens <= 2
    assert result.ratio <= result.must
