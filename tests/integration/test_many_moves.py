"""Everybody of an organisation moves in one run of real workers, with nobody doing anything but one administrator."""

from __future__ import annotations

import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from mailaccounts.models import Credential, CredentialState, Grant, MailAccount, MigrationRun, TenantAccess
from mailaccounts.rules.migration_states import MigrationState
from mailaccounts.services.campaigns import campaign, readiness
from mailaccounts.services.organisations import members
from mailaccounts.testing.sandbox import Sandbox
from tests.app.organisations import by_password, let_in, registered, tokens_issued
from tests.crm_process import Cluster, environment
from tests.sandbox_crm import world_of
from tests.sandbox_fixtures import new_user

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from pytest_django.fixtures import SettingsWrapper

pytestmark = pytest.mark.django_db(transaction=True)

CLOSED = 2  # mailboxes of CRM users that Exchange's administrator forgot
STARTING_SECONDS = 120
SECONDS_FOR_ONE = 3  # that a noisy machine may take


@contextmanager
def organisation(directory: Path, settings: SettingsWrapper, *, people: int) -> Iterator[tuple[Sandbox, MigrationRun]]:
    """One with as many CRM users, whose administrator has let us in; and the campaign that moves them all."""
    users = [replace(new_user(), closed_to_apps=number < CLOSED) for number in range(people)]
    bird = replace(new_user(), closed_to_apps=True)
    with Sandbox(directory, imap="dovecot", users=[*users, bird]) as sandbox:
        settings.MAILACCOUNTS = world_of(sandbox, settings.MAILACCOUNTS)
        client = registered(sandbox.idp)
        let_in(client, sandbox.idp, canary=bird.address)
        accounts = [by_password(sandbox, user) for user in users]
        found = readiness.judge(accounts, app_only=True, client=client)
        yield sandbox, campaign.create(found, name="Everybody", to="app_only", client=client)


def states(run: MigrationRun) -> Counter[str]:
    return Counter(run.steps.values_list("state", flat=True))


def work(run: MigrationRun, *, until: Callable[[Counter[str]], bool]) -> list[int]:
    """Waits while workers work; how many had moved, each time one looked."""
    seen: list[int] = []
    deadline = time.monotonic() + STARTING_SECONDS + SECONDS_FOR_ONE * run.steps.count()
    while True:
        now = states(run)
        seen.append(now[MigrationState.SWITCHED])
        if until(now):
            return seen
        if time.monotonic() > deadline:
            pytest.fail(f"not in time: {dict(now)}")
        time.sleep(0.2)


def has_ended(now: Counter[str]) -> bool:
    return now.total() == now[MigrationState.SWITCHED] + now[MigrationState.FAILED]


def everybody_is_there(sandbox: Sandbox, run: MigrationRun, *, people: int) -> None:
    """Nobody was lost: who moved signs in by the organisation's access, who was refused as before."""
    assert states(run) == {MigrationState.SWITCHED: people - CLOSED, MigrationState.FAILED: CLOSED}
    active = Counter(Credential.objects.filter(state=CredentialState.ACTIVE).values_list("backend", flat=True))
    assert active == {"app_only": people - CLOSED, "password": CLOSED}
    assert MailAccount.objects.count() == people
    assert Grant.objects.count() == 1
    access = TenantAccess.objects.get()
    closed = {user.address for user in sandbox.users.read().values() if user.closed_to_apps} - {access.canary}
    assert {each.address for each in members.refused(access)} == closed
    # The canary's and everybody's, and at most two more for each that was refused: the token might have been to blame.
    assert tokens_issued(sandbox) <= 2 * (1 + CLOSED)


def test_everybody_moves_in_one_run_of_two_workers(
    sandbox_directory: Path, settings: SettingsWrapper, tmp_path: Path
) -> None:
    people = 20
    with organisation(sandbox_directory, settings, people=people) as (sandbox, run):
        campaign.start(run, pilot_only=False)
        with Cluster(tmp_path / "worker.log", env=environment(**sandbox.environment(), Q_WORKERS="2")):
            seen = work(run, until=has_ended)
        everybody_is_there(sandbox, run, people=people)
    assert any(0 < moved < people - CLOSED for moved in seen)  # progress shows while it runs


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_a_thousand_move_though_the_workers_are_killed_on_the_way(
    sandbox_directory: Path, settings: SettingsWrapper, tmp_path: Path
) -> None:
    people = 1000
    with organisation(sandbox_directory, settings, people=people) as (sandbox, run):
        campaign.start(run, pilot_only=False)
        env = environment(**sandbox.environment(), Q_WORKERS="2")
        started = time.monotonic()
        with Cluster(tmp_path / "killed.log", env=env) as cluster:
            work(run, until=lambda now: now[MigrationState.SWITCHED] >= people // 4)
            cluster.kill()
        with Cluster(tmp_path / "worker.log", env=env):
            seen = work(run, until=has_ended)
        seconds = time.monotonic() - started
        everybody_is_there(sandbox, run, people=people)
        tokens = tokens_issued(sandbox)
    assert len(set(seen)) > people // 10
    print(f"{people} accounts in {seconds:.0f} s, {seconds / people:.3f} s each, on {tokens} tokens")  # noqa: T201 - what a soak is read for
