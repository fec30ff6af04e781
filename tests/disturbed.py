"""A mailbox for syncs that are disturbed, and how to tell afterwards that nothing came of it."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from django.db import connection

from mailaccounts.services.checking.compare import compare_account
from mailaccounts.services.syncing.sync import sync_account
from tests.app.builders import make_account, make_credential
from tests.letters import CONTACT, STRANGER, letter

if TYPE_CHECKING:
    from mailaccounts.models import MailAccount
    from tests.sandbox_fixtures import SandboxMailbox

FOLDERS = ("INBOX", "INBOX", "INBOX", "Projects")
LETTERS = 16  # every other one is from the contact
MARK = re.compile(rb"This is what letter (\d+) says")
SMALL_STEPS = {"HEADER_BATCH": 8, "BODY_BATCH_BYTES": 1_000}
"""Settings that make many commands and transactions of little mail."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Disturbed:
    """A new mailbox and an account that was never synced."""

    mailbox: SandboxMailbox
    account: MailAccount

    @classmethod
    def made(cls, mailbox: SandboxMailbox, *, port: int = 0) -> Self:
        """The account reaches its server through ``port``, where something may happen to it."""
        for number in range(LETTERS):
            mailbox.append(
                letter(
                    STRANGER if number % 2 else CONTACT,
                    text=f"This is what letter {number} says",
                    attachment=b"x" * 9_000 if number % 6 == 0 else b"",
                ),
                FOLDERS[number // 2 % len(FOLDERS)],
            )
        account = make_account(
            address=mailbox.address, imap_host="localhost", imap_port=port or mailbox.sandbox.imap.port
        )
        make_credential(account, mailbox.password)
        return cls(mailbox=mailbox, account=account)

    def finish(self) -> None:
        """Syncs undisturbed, until all is read."""
        finished = False
        while not finished:
            report = sync_account(self.account.pk)
            assert report.error is None, report.error.code
            finished = report.finished

    def free_lease(self) -> None:
        """Time passes: the lease of a worker that was killed runs out."""
        with connection.cursor() as cursor:
            cursor.execute("UPDATE mailaccounts_mailaccount SET lease_until = now() - interval '1 second'")

    def check(self) -> None:
        """Nothing is missing, nothing doubled, nobody left untold, and no body came more than twice."""
        result = compare_account(self.account.pk)
        assert result.error is None
        assert (result.expected, result.missing, result.doubled) == (LETTERS // 2, {}, {})
        messages = self.account.messages
        assert messages.count() == LETTERS // 2
        assert not messages.filter(announced=False).exists()
        assert not messages.filter(has_body=False).exists()
        assert not messages.filter(truncated=True).exists()
        assert {number: times for number, times in self.downloads().items() if times > 2 or number % 2} == {}

    def downloads(self) -> Counter[int]:
        """How often the server sent what each letter says."""
        said = b"".join(log.received for log in self.mailbox.rawlogs())
        return Counter(int(number) for number in MARK.findall(said))
