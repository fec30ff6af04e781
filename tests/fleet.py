"""Several workers and watchers beside a test, mail that arrives for their accounts meanwhile, and how to tell
afterwards that nothing came of whatever happened to them."""

from __future__ import annotations

import json
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from io import StringIO
from itertools import pairwise
from typing import TYPE_CHECKING, Self

from django.core.management import call_command
from django.db.models import F
from django.utils import timezone

from crm.models import TimelineEntry
from mailaccounts.models import AccountStatus, Lookout, MailAccount, Message
from tests.app.builders import make_account, make_credential, make_user
from tests.crm_process import PATIENCE, Cluster, Running, wait_until
from tests.letters import CONTACT, STRANGER, letter, new_id

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path
    from random import Random

    from mailaccounts.testing.sandbox import Sandbox, SandboxUser
    from mailaccounts.testing.sandbox.rawlog import RawLog

FOLDERS = ("INBOX", "INBOX", "INBOX", "Sent")
PER_SECOND = 10  # letters
AN_HOUR = timedelta(hours=1)


class Fleet:
    """``workers`` clusters and ``watchers`` watchers, each as on a machine of its own."""

    def __init__(self, directory: Path, *, workers: int, watchers: int, env: dict[str, str]) -> None:
        self.members: list[Running] = [Cluster(directory / f"worker-{n}.log", env=env) for n in range(workers)]
        self.members += [
            Running(directory / f"watcher-{n}.log", "watch_mailboxes", "--json", env=env) for n in range(watchers)
        ]

    def __enter__(self) -> Self:
        for member in self.members:
            member.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        for member in self.members:
            member.kill()
            print(member.printed())  # noqa: T201 - pytest shows it when the test fails

    def strike(self, rng: Random) -> None:
        """One of them is killed, and started again at once."""
        member = rng.choice(self.members)
        member.kill()
        member.start()

    def tend(self) -> int:
        """Starts again who has ended, as systemd would; returns how many that were."""
        ended = [member for member in self.members if member.process.poll() is not None]
        for member in ended:
            member.start()
        return len(ended)

    def strike_all(self) -> None:
        """All are killed at the same time, an hour passes in which nobody is there, and all start again."""
        for member in self.members:
            member.kill()
        an_hour_passes()
        for member in self.members:
            member.start()


def an_hour_passes() -> None:
    """For whoever held an account and is no more."""
    MailAccount.objects.update(lease_until=F("lease_until") - AN_HOUR, next_sync_at=timezone.now())
    Lookout.objects.update(until=F("until") - AN_HOUR)


@dataclass(slots=True, kw_only=True)
class Crowd:
    """Accounts on one mail server. ``delivered`` is when each letter with the contact came, by address and
    Message-ID."""

    sandbox: Sandbox
    users: Sequence[SandboxUser]
    text: str = "Good morning"
    delivered: dict[tuple[str, str], float] = field(default_factory=dict)

    def connect(self) -> None:
        """An account for each of them, due, and fit to be watched."""
        owner, at = make_user(), self.sandbox.imap
        columns = {"imap_host": at.host, "imap_port": at.port, "status": AccountStatus.OK}
        for user in self.users:
            make_credential(make_account(owner, user.address, next_sync_at=timezone.now(), **columns), user.password)

    def deliver(self, rng: Random) -> None:
        """A letter to one of them, and a moment until the next."""
        time.sleep(rng.expovariate(PER_SECOND))
        self.deliver_to(rng.choice(self.users), rng)

    def deliver_to(self, user: SandboxUser, rng: Random) -> None:
        """From the contact or from a stranger."""
        folder = rng.choice(FOLDERS)
        sender, message_id = rng.choice((CONTACT, CONTACT, STRANGER)), new_id()
        self.sandbox.append(user.address, letter(sender, text=self.text, message_id=message_id), folder)
        if sender == CONTACT:
            self.delivered[user.address, message_id] = time.time()

    def is_stored(self) -> bool:
        """Whether all that came is there, and was told."""
        return Message.objects.filter(announced=True).count() >= len(self.delivered)

    def nobody_is_due(self) -> bool:
        return not MailAccount.objects.filter(next_sync_at__lte=timezone.now()).exists()

    def everything_becomes_due(self) -> None:
        """Whoever isn't being synced at the moment: also accounts that are queued already, which are queued twice."""
        MailAccount.objects.filter(lease_owner="").update(next_sync_at=timezone.now())

    # --- afterwards ---

    def check(self) -> str:
        """Nothing is missing, nothing is doubled, everybody was told, and no account was synced by two at once;
        returns a sentence about it."""
        an_hour_passes()
        stored = Message.objects.values_list("account__address", "message_id")
        assert Counter(stored) == Counter(self.delivered.keys())
        assert not Message.objects.filter(announced=False).exists()
        entries = TimelineEntry.objects.values_list("message__account__address", "message__message_id")
        assert Counter(entries) == Counter(self.delivered.keys())
        expected = audit()
        assert expected == len(self.delivered)
        sessions = self.syncs()
        assert [pair for each in sessions.values() for pair in overlaps(each)] == []
        return (
            f"{expected} letters in {len(self.users)} mailboxes: 0 missing, 0 doubled; "
            f"{sum(map(len, sessions.values()))} sessions of syncs, at no mailbox two at a time"
        )

    def syncs(self) -> dict[str, list[RawLog]]:
        """By mailbox, the sessions in which the server was asked for the state of its folders, as each sync begins:
        whoever watches doesn't ask."""
        return {
            user.address: [
                log for log in self.sandbox.rawlogs(user.address) if any(" LIST " in line for line in log.commands)
            ]
            for user in self.users
        }

    def lags(self) -> list[float]:
        """Seconds from delivery to store, of the letters that are stored."""
        rows = Message.objects.values_list("account__address", "message_id", "stored_at")
        stored = {(address, message_id): at.timestamp() for address, message_id, at in rows}
        return [stored[letter] - came for letter, came in self.delivered.items() if letter in stored]


def overlaps(sessions: Sequence[RawLog]) -> list[tuple[str, str]]:
    """Sessions that began before the one before them had said its last, by the server's clock."""
    in_order = sorted(sessions, key=lambda log: log.began)
    return [(one.name, other.name) for one, other in pairwise(in_order) if other.began < one.ended]


def audit() -> int:
    """`audit_mailboxes --all` finds nothing; how many places of messages it looked for."""
    said = StringIO()
    with suppress(SystemExit):
        call_command("audit_mailboxes", all=True, json=True, stdout=said)
    found = [json.loads(line) for line in said.getvalue().splitlines()]
    assert [each for each in found if each["missing"] or each["duplicated"] or each["error"]] == []
    return sum(each["expected"] for each in found)


def storm(fleet: Fleet, crowd: Crowd, tick: Callable[[], object], rng: Random, *, seconds: float, every: float) -> int:
    """Mail arrives, everything is due again and again, and somebody is killed about ``every`` so many seconds; returns
    how often."""
    kills, until = 0, time.monotonic() + seconds
    next_kill = next_due = time.monotonic()
    while (now := time.monotonic()) < until:
        crowd.deliver(rng)
        if now >= next_due:
            next_due = now + every / 3
            crowd.everything_becomes_due()
            tick()
        if now >= next_kill:
            next_kill = now + rng.uniform(0.5, 1.5) * every
            fleet.strike(rng)
            kills += 1
    return kills


def trouble(fleet: Fleet, crowd: Crowd, rng: Random, *, until: Callable[[], object], longest: float = 60) -> int:
    """Mail arrives while something is out of order; returns how often somebody ended over it and was started again."""
    ended, deadline = 0, time.monotonic() + longest
    while not until():
        assert time.monotonic() < deadline
        crowd.deliver(rng)
        ended += fleet.tend()
    return ended


def calm(crowd: Crowd, tick: Callable[[], object]) -> None:
    """Until all that came is there. Whoever isn't being synced is due again: it would be so by itself in an hour."""

    def quiet() -> bool:
        if crowd.is_stored():
            return True
        if crowd.nobody_is_due():
            crowd.everything_becomes_due()
        tick()
        return False

    wait_until(quiet, what="all mail is stored", seconds=3 * PATIENCE + len(crowd.users))
