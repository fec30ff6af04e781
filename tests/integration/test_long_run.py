"""Days in the life of an account: mail comes in, tokens end, the provider fails, a folder is made anew; and after
every sync that worked, the store holds each message with the contact once."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

import pytest

from mailaccounts.services.syncing.sync import sync_account
from tests.integration.mailboxes import recreate, stored_ids
from tests.letters import CONTACT, STRANGER, letter, new_id
from tests.sandbox_crm import switch_by_consent

if TYPE_CHECKING:
    from crm.models import Contact
    from mailaccounts.models import MailAccount
    from tests.sandbox_fixtures import SandboxMailbox

FOLDERS = ("INBOX", "Archive", "Projects")


class Life:
    """What happens to the mailbox; ``wanted`` are the Message-IDs that the store should have."""

    def __init__(self, mailbox: SandboxMailbox, rng: Random) -> None:
        self.mailbox, self.rng = mailbox, rng
        self.wanted: set[str] = set()
        self.filed: dict[str, list[bytes]] = {folder: [] for folder in FOLDERS}

    def mail_arrives(self) -> None:
        for _ in range(self.rng.randint(0, 6)):
            message_id = new_id()
            sender = self.rng.choice((CONTACT, STRANGER))
            raw = letter(sender, message_id=message_id)
            for folder in self.rng.sample(FOLDERS, self.rng.choice((1, 1, 2))):
                self.mailbox.append(raw, folder)
                self.filed[folder].append(raw)
            if sender == CONTACT:
                self.wanted.add(message_id)

    def something_happens(self) -> None:
        idp = self.mailbox.sandbox.idp
        what = self.rng.randrange(6)
        if what == 0:
            idp.faults.expire_access_tokens(self.mailbox.address)
        elif what == 1:
            idp.faults.expire_access_tokens(self.mailbox.address)
            idp.faults.fail(times=1)
        elif what == 2:
            self.rng.shuffle(self.filed["Archive"])
            recreate(self.mailbox, "Archive", self.filed["Archive"])


@pytest.mark.parametrize("rounds", [6, pytest.param(400, marks=pytest.mark.soak)])
def test_nothing_is_lost_or_doubled_however_long_it_goes_on(
    account: MailAccount, mailbox: SandboxMailbox, contact: Contact, rounds: int
) -> None:
    life = Life(mailbox, Random(rounds))  # noqa: S311 - the same life again is the point
    worked = 0
    for folder in FOLDERS:
        raw = letter(STRANGER)
        mailbox.append(raw, folder)
        life.filed[folder].append(raw)
    for number in range(rounds):
        if number == rounds // 3:
            switch_by_consent(account, mailbox)
        life.mail_arrives()
        life.something_happens()
        report = sync_account(account.pk)
        if report.error is None:
            worked += 1
            assert stored_ids(account) == sorted(life.wanted), f"after round {number}"
        mailbox.sandbox.idp.faults.reset()
    assert sync_account(account.pk).error is None
    assert stored_ids(account) == sorted(life.wanted)
    assert worked > rounds // 2
