"""What a sync asks for ahead of its turn: a distant server is waited for less, and nothing is lost by it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from mailaccounts.errors import ConnectionLost
from mailaccounts.mail.imap import ImapSession
from mailaccounts.models import Quarantined
from mailaccounts.services.syncing import round as rounds
from mailaccounts.services.syncing.sync import sync_account
from tests.disturbed import Disturbed
from tests.integration.mailboxes import stored_ids
from tests.integration.test_chaos import disturb_at_every_turn
from tests.letters import letter
from tests.proxy import Kind, Proxy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from pytest_django.fixtures import SettingsWrapper

    from mailaccounts.mail.types import FetchedBody, FetchedHeaders
    from mailaccounts.models import MailAccount
    from mailaccounts.testing.sandbox import Sandbox
    from tests.sandbox_fixtures import SandboxMailbox

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("contact")]

FETCHED = re.compile(r"UID FETCH (\S+) .*BODY\.PEEK\[(HEADER)?")


def fetched(mailbox: SandboxMailbox) -> list[str]:
    """What headers (H) and bodies (B) the last session asked for, in this order."""
    found = map(FETCHED.search, mailbox.rawlogs()[-1].commands)
    return [f"{'H' if match[2] else 'B'} {match[1]}" for match in found if match]


def fill(mailbox: SandboxMailbox, count: int) -> list[str]:
    """Letters from the contact, one a UID; their Message-IDs."""
    ids = [f"{uid:02}@x" for uid in range(1, count + 1)]
    for number, each in enumerate(ids, start=1):
        mailbox.append(letter(message_id=each, text=f"This is what letter {number} says"))
    return ids


def test_the_headers_of_what_comes_next_are_asked_for_before_the_bodies(
    account: MailAccount, mailbox: SandboxMailbox, settings: SettingsWrapper, monkeypatch: pytest.MonkeyPatch
) -> None:
    plenty = {"SYNC_BUDGET": 1000, "LEASE_SECONDS": 1500}
    settings.MAILACCOUNTS = {**settings.MAILACCOUNTS, **plenty, "HEADER_BATCH": 2}
    monkeypatch.setattr(rounds, "SLICE_SECONDS", 1000)
    ids = fill(mailbox, 10)
    report = sync_account(account.pk)
    assert (report.finished, report.bodies_fetched, stored_ids(account)) == (True, 10, ids)
    assert fetched(mailbox) == [
        *("H 9:10", "B 9:10"),  # how long such a window takes isn't known yet
        *("H 7:8", "H 5:6", "H 3:4", "B 7:8"),
        *("H 1:2", "B 5:6"),
        *("B 3:4", "B 1:2"),
    ]


def test_nothing_is_asked_for_ahead_that_time_would_not_do_for(
    account: MailAccount, mailbox: SandboxMailbox, settings: SettingsWrapper, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.MAILACCOUNTS = {**settings.MAILACCOUNTS, "HEADER_BATCH": 2}
    monkeypatch.setattr(rounds, "SLICE_SECONDS", 0)
    ids = fill(mailbox, 6)
    assert sync_account(account.pk).finished
    assert stored_ids(account) == ids
    assert fetched(mailbox) == ["H 5:6", "B 5:6", "H 3:4", "B 3:4", "H 1:2", "B 1:2"]


def test_the_next_bodies_are_asked_for_before_these_are_stored(
    account: MailAccount, mailbox: SandboxMailbox, settings: SettingsWrapper, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.MAILACCOUNTS = {**settings.MAILACCOUNTS, "BODY_BATCH_BYTES": 500}  # a letter in each portion
    ids = fill(mailbox, 4)
    stored: list[int] = []
    original = ImapSession.bodies

    def bodies(self: ImapSession, sizes: Mapping[int, int], **options: Any) -> Iterator[FetchedBody]:
        if sizes:
            stored.append(account.messages.count())
        return original(self, sizes, **options)

    monkeypatch.setattr(ImapSession, "bodies", bodies)
    assert sync_account(account.pk).finished
    assert stored_ids(account) == ids
    assert stored == [0, 0, 1, 2]


@pytest.mark.parametrize("window", [1, 2, 4])
def test_a_message_at_which_the_server_breaks_off_is_found_though_it_was_asked_for_ahead(
    account: MailAccount,
    mailbox: SandboxMailbox,
    settings: SettingsWrapper,
    monkeypatch: pytest.MonkeyPatch,
    window: int,
) -> None:
    settings.MAILACCOUNTS = {**settings.MAILACCOUNTS, "HEADER_BATCH": window}
    ids = fill(mailbox, 20)
    original = ImapSession.headers

    def breaks_off(self: ImapSession, uids: Sequence[int], **options: Any) -> Iterator[list[FetchedHeaders]]:
        if 3 in uids:
            self._live().shutdown()
            raise ConnectionLost(host="localhost")
        return original(self, uids, **options)

    monkeypatch.setattr(ImapSession, "headers", breaks_off)
    report = sync_account(account.pk)
    assert (report.error, report.finished) == (None, True)
    assert stored_ids(account) == [each for each in ids if each != "03@x"]
    assert list(Quarantined.objects.values_list("uid", flat=True)) == [3]
    assert max(Disturbed(mailbox=mailbox, account=account).downloads().values()) <= 2


def test_a_connection_cut_while_much_was_asked_for_ahead_costs_nothing_but_time(
    world: Sandbox, new_mailbox: Callable[[], SandboxMailbox], settings: SettingsWrapper
) -> None:
    settings.MAILACCOUNTS = {**settings.MAILACCOUNTS, "HEADER_BATCH": 2, "BODY_BATCH_BYTES": 1_000}
    with Proxy(world.imap.port, certificates=world.certificates) as proxy:
        disturb_at_every_turn(proxy, new_mailbox, Kind.CUT, after=30, step=2)
