"""Whatever happens to a mailbox, and whatever its server can do: the store ends up as the mailbox is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.app.builders import make_account, make_credential
from tests.crm.builders import make_contact
from tests.histories import Operation, history, read_script, seeded
from tests.integration.ways import WAYS
from tests.letters import CONTACT
from tests.replay import Replay
from tests.sandbox_crm import world_of
from tests.sandbox_fixtures import SandboxMailbox, new_user

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_django.fixtures import SettingsWrapper

    from mailaccounts.testing.sandbox import Sandbox

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(params=WAYS)
def server(request: pytest.FixtureRequest, sandbox_of: Callable[[str], Sandbox], settings: SettingsWrapper) -> Sandbox:
    """Dovecot with everything, with CONDSTORE and no QRESYNC, with neither; and a server of another kind."""
    found = sandbox_of(request.param)
    settings.MAILACCOUNTS = world_of(found, settings.MAILACCOUNTS)
    make_contact(CONTACT)
    return found


def replay_of(sandbox: Sandbox) -> Replay:
    """A new mailbox and its account."""
    mailbox = SandboxMailbox(sandbox=sandbox, user=sandbox.add_user(new_user()))
    account = make_account(address=mailbox.address, imap_host="localhost", imap_port=sandbox.imap.port)
    make_credential(account, mailbox.password)
    return Replay(mailbox, account)


def replay(sandbox: Sandbox, script: list[Operation]) -> None:
    replayed = replay_of(sandbox)
    replayed.run(script)
    replayed.settle()
    replayed.check()


def test_a_history_ends_in_the_same_store_on_every_server(server: Sandbox) -> None:
    replay(server, seeded(150, seed=20))


@pytest.mark.soak
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_long_history_ends_in_the_same_store_on_every_server(server: Sandbox, seed: int) -> None:
    replay(server, seeded(2_000, seed=seed))


HISTORIES = st.lists(st.tuples(*[st.integers(0, 2**16 - 1)] * 4), max_size=40)
CHECKS = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]


@settings(max_examples=4, derandomize=True, deadline=None, suppress_health_check=CHECKS)
@given(draws=HISTORIES)
def test_any_history_ends_in_the_store_being_as_the_mailbox_is(
    server: Sandbox, draws: list[tuple[int, int, int, int]]
) -> None:
    replay(server, history(draws, length=40))


@pytest.mark.soak
@settings(max_examples=150, derandomize=True, deadline=None, suppress_health_check=CHECKS)
@given(draws=HISTORIES)
def test_a_great_many_histories_end_in_the_store_being_as_the_mailbox_is(
    server: Sandbox, draws: list[tuple[int, int, int, int]]
) -> None:
    replay(server, history(draws, length=40))


@pytest.mark.parametrize("server", ["qresync", "neither"], indirect=True)
@pytest.mark.parametrize(
    "script",
    [
        "arrive INBOX 1\nsync\nmove INBOX 1 Trash\nsync\nmove Trash 1 INBOX",
        "create Projects\narrive Projects 1\nsync\nrename Projects Clients\narrive Clients 2\nsync",
        "create Projects\narrive Projects 1\nsync\ndelete Projects\ncreate Projects\narrive Projects 2\nsync",
        "create Projects\narrive Projects 1 \\Seen\narrive Projects 2\nsync\nreset Projects\nexpunge Projects 2",
        "create Projects\narrive INBOX 1\ncopy INBOX 1 Projects\nsync\nexpunge INBOX 1\nflag Projects 1 \\Draft\nsync",
        "create Projects\narrive Projects 1\nsync\nrename Projects Clients\ncreate Projects\narrive Projects 2\nsync",
        "arrive INBOX 1\nsync\narrive INBOX 2\nexpunge INBOX 1\nsync\narrive INBOX 4\nexpunge INBOX 2",
    ],
    ids=[
        "there and back",
        "renamed",
        "deleted, made anew",
        "reset",
        "copied",
        "a new one by its name",
        "one in, one out",
    ],
)
def test_what_tends_to_go_wrong_ends_well(server: Sandbox, script: str) -> None:
    replay(server, read_script(script))


def test_a_script_is_read_as_it_is_written() -> None:
    script = seeded(300, seed=4)
    assert read_script("\n".join(map(str, script))) == script
    assert {operation.kind for operation in script} >= {"arrive", "move", "rename", "delete", "reset", "sync"}
