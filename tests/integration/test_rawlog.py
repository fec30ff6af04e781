"""What a sync says on the wire, from the server's own record of it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from mailaccounts.services.syncing.sync import sync_account
from tests.crm.builders import make_contact
from tests.integration.mailboxes import imap_of
from tests.integration.wire import uids_of
from tests.letters import CONTACT, STRANGER, letter, new_id

if TYPE_CHECKING:
    from mailaccounts.models import MailAccount
    from tests.sandbox_fixtures import SandboxMailbox

FETCH = re.compile(r"^\S+ UID FETCH (?P<uids>[\d:,]+) \((?P<items>.+)\)$")


def test_no_body_of_an_unmatched_message_is_requested_and_every_fetch_is_a_peek(
    account: MailAccount, mailbox: SandboxMailbox
) -> None:
    make_contact(CONTACT)
    secret = "PRIVATE-LETTER-OF-A-STRANGER"
    matched: dict[str, set[int]] = {"INBOX": set(), "Projects": set()}
    for folder, wanted in matched.items():
        for uid in range(1, 31):
            if uid % 3 == 0:
                wanted.add(uid)
                mailbox.append(letter(CONTACT if uid % 2 else "me@sandbox.test", CONTACT, message_id=new_id()), folder)
            else:
                mailbox.append(letter(STRANGER, "me@sandbox.test", text=secret), folder)
    report = sync_account(account.pk)
    assert (report.examined, report.matched, report.bodies_fetched) == (60, 20, 20)

    (log,) = mailbox.rawlogs()
    folder = ""
    bodies: dict[str, set[int]] = {"INBOX": set(), "Projects": set()}
    for command in log.commands:
        if opened := re.match(r'\S+ EXAMINE "([^"]+)"', command):
            folder = opened[1]
        assert not re.search(r" (SELECT|STORE|COPY|MOVE|EXPUNGE|APPEND) ", command), command
        if " FETCH " not in command:
            continue
        fetch = FETCH.match(command)
        assert fetch, command
        items = fetch["items"]
        assert re.sub(r"BODY\.PEEK\[[^]]*\]", "", items).count("BODY") == 0, command  # BODY[] and RFC822 set \Seen
        assert not re.search(r"RFC822(?!\.SIZE)", items), command
        parts = re.findall(r"BODY\.PEEK\[([^]]*)\]", items)
        if any(not part.startswith("HEADER.FIELDS (") for part in parts):
            bodies[folder] |= uids_of(fetch["uids"])
    assert bodies == matched
    assert secret.encode() not in log.received
    with imap_of(mailbox) as imap:
        imap.select("INBOX", readonly=True)
        assert len(imap.search(None, "UNSEEN")[1][0].split()) == 30
