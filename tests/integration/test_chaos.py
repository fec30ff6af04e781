"""Whatever happens to a connection, and at whichever command: the next sync makes up for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mailaccounts.models import AccountStatus
from mailaccounts.services.syncing.sync import sync_account
from tests.disturbed import SMALL_STEPS, Disturbed
from tests.proxy import Fault, Kind, Proxy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pytest_django.fixtures import SettingsWrapper

    from crm.models import Contact
    from mailaccounts.services.syncing.report import SyncReport
    from mailaccounts.testing.sandbox import Sandbox
    from tests.sandbox_fixtures import SandboxMailbox

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _small_steps(world: Sandbox, contact: Contact, settings: SettingsWrapper) -> None:
    settings.MAILACCOUNTS = {**settings.MAILACCOUNTS, **SMALL_STEPS}


@pytest.fixture
def commands(world: Sandbox) -> Iterator[Proxy]:
    """Between the account and its server; knows every command."""
    with Proxy(world.imap.port, certificates=world.certificates) as proxy:
        yield proxy


@pytest.fixture
def flights(world: Sandbox) -> Iterator[Proxy]:
    """The same, with TLS from end to end."""
    with Proxy(world.imap.port) as proxy:
        yield proxy


def disturb(
    proxy: Proxy,
    new_mailbox: Callable[[], SandboxMailbox],
    fault: Fault,
    first: Callable[[int], SyncReport] = sync_account,
) -> bool:
    """A ``first`` sync that ``fault`` befalls, and then one in peace; whether the first one failed, or began anew."""
    disturbed = Disturbed.made(new_mailbox(), port=proxy.port)
    proxy.reset()
    proxy.fault = fault
    report = first(disturbed.account.pk)
    if first is sync_account:  # another may be out of time before, on a busy machine
        assert proxy.fault is None
    proxy.fault = None
    if report.error is not None:  # trouble that passes is nobody's to mend
        assert report.status == AccountStatus.WAITING, f"{report.error.code} at turn {fault.turn}"
    failed = report.error is not None or proxy.counts.connections > 1
    disturbed.finish()
    disturbed.check()
    return failed


def disturb_at_every_turn(
    proxy: Proxy, new_mailbox: Callable[[], SandboxMailbox], kind: Kind, *, after: int, step: int = 1
) -> None:
    """Until the turn is one after all that a sync has to say but LOGOUT; at every ``step``-th turn, to be exact."""
    turn = 1
    while disturb(proxy, new_mailbox, Fault(kind=kind, turn=turn, after=after)):
        turn += step
    assert turn > 12, f"nothing failed at turn {turn}"


def commands_in_a_sync(proxy: Proxy, new_mailbox: Callable[[], SandboxMailbox]) -> int:
    disturbed = Disturbed.made(new_mailbox(), port=proxy.port)
    proxy.reset()
    disturbed.finish()
    count = len(proxy.counts.commands)
    disturbed.check()
    return count


def test_a_connection_cut_at_any_command_costs_nothing_but_time(
    commands: Proxy, new_mailbox: Callable[[], SandboxMailbox]
) -> None:
    disturb_at_every_turn(commands, new_mailbox, Kind.CUT, after=30, step=3)


def test_a_bit_that_is_wrong_in_an_answer_costs_nothing_but_time(
    flights: Proxy, new_mailbox: Callable[[], SandboxMailbox]
) -> None:
    disturb_at_every_turn(flights, new_mailbox, Kind.CORRUPT, after=20, step=4)


@pytest.mark.soak
@pytest.mark.parametrize(
    ("between", "kind", "after"),
    [
        ("commands", Kind.UNSENT, 0),
        ("commands", Kind.CUT, 0),
        ("commands", Kind.CUT, 1),
        ("flights", Kind.UNSENT, 0),
        ("flights", Kind.CUT, 0),
        ("flights", Kind.CUT, 1),
        ("flights", Kind.CORRUPT, 20),
    ],
)
def test_whatever_breaks_at_any_turn_costs_nothing_but_time(
    between: str, new_mailbox: Callable[[], SandboxMailbox], kind: Kind, after: int, request: pytest.FixtureRequest
) -> None:
    disturb_at_every_turn(request.getfixturevalue(between), new_mailbox, kind, after=after)


def test_an_answer_that_is_late_or_comes_as_a_trickle_is_as_good_as_any(
    commands: Proxy, new_mailbox: Callable[[], SandboxMailbox]
) -> None:
    for turn in range(1, commands_in_a_sync(commands, new_mailbox), 4):
        assert not disturb(commands, new_mailbox, Fault(kind=Kind.DELAY, turn=turn, amount=0.1))
    assert not disturb(commands, new_mailbox, Fault(kind=Kind.THROTTLE, turn=1, amount=200_000))


@pytest.mark.soak
def test_answers_that_are_late_or_come_as_a_trickle_at_any_command_are_as_good_as_any(
    commands: Proxy, new_mailbox: Callable[[], SandboxMailbox]
) -> None:
    for turn in range(1, commands_in_a_sync(commands, new_mailbox)):
        assert not disturb(commands, new_mailbox, Fault(kind=Kind.DELAY, turn=turn, amount=1))
        assert not disturb(commands, new_mailbox, Fault(kind=Kind.THROTTLE, turn=turn, amount=50_000))


def test_a_server_that_falls_silent_at_any_command_costs_nothing_but_time(
    commands: Proxy, new_mailbox: Callable[[], SandboxMailbox], settings: SettingsWrapper
) -> None:
    silent_at_all(commands, new_mailbox, settings, every=9)


@pytest.mark.soak
def test_a_server_that_falls_silent_at_every_command_costs_nothing_but_time(
    commands: Proxy, new_mailbox: Callable[[], SandboxMailbox], settings: SettingsWrapper
) -> None:
    silent_at_all(commands, new_mailbox, settings, every=1)


def silent_at_all(
    commands: Proxy, new_mailbox: Callable[[], SandboxMailbox], settings: SettingsWrapper, *, every: int
) -> None:
    last = commands_in_a_sync(commands, new_mailbox)
    usual = settings.MAILACCOUNTS

    def impatiently(account_id: int) -> SyncReport:
        settings.MAILACCOUNTS = {**usual, "LEASE_SECONDS": 2, "SYNC_BUDGET": 1}  # so long a session may take
        try:
            return sync_account(account_id)
        finally:
            settings.MAILACCOUNTS = usual

    stalls = [Fault(kind=Kind.STALL, turn=turn) for turn in range(2, last, every)]
    assert any([disturb(commands, new_mailbox, stall, impatiently) for stall in stalls])  # noqa: C419 - each of them
