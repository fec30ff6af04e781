"""A database that is restored from an older backup: the syncs after that lose nothing and double nothing."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from typing import TYPE_CHECKING

import psycopg
import pytest
from django.db import connection

from mailaccounts.models import OutgoingState
from mailaccounts.services.syncing.sync import sync_account
from tests.crm_process import ROOT, database_url, environment
from tests.integration.mailboxes import imap_of
from tests.letters import STRANGER, letter, new_id
from tests.outgoing import queued, work_off
from tests.servers import postgres_program

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from crm.models import Contact
    from mailaccounts.models import MailAccount
    from tests.sandbox_fixtures import SandboxMailbox

# What docs/deploying.md has an operator run, in one process.
AFTERWARDS = """
import django
django.setup()
from django.core.management import call_command
call_command("after_restore", json=True)
call_command("sync_mailboxes", all=True, json=True)
call_command("audit_mailboxes", all=True, json=True)
"""


@pytest.fixture
def restored() -> Iterator[str]:
    """The URL of an empty database beside the test's."""
    name = f"{connection.settings_dict['NAME']}_restored"
    with connection.cursor() as cursor:
        cursor.execute(f'CREATE DATABASE "{name}" TEMPLATE template0')
    yield f"{database_url().rpartition('/')[0]}/{name}"
    with connection.cursor() as cursor:
        cursor.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def test_what_came_after_the_backup_is_fetched_again_and_nothing_is_doubled_or_sent_twice(
    account: MailAccount, mailbox: SandboxMailbox, contact: Contact, restored: str, tmp_path: Path
) -> None:
    before = [new_id() for _ in range(6)]
    for message_id in before:
        mailbox.append(letter(message_id=message_id))
    mailbox.append(letter(STRANGER))
    assert sync_account(account.pk).stored == len(before)
    answer = queued(account, "somebody@outside.test")

    dump = str(tmp_path / "dump")
    subprocess.run([postgres_program("pg_dump"), "-Fc", "-f", dump, database_url()], check=True)

    assert work_off(answer).state == OutgoingState.SENT
    since = [new_id() for _ in range(4)]
    for number, message_id in enumerate(since):
        mailbox.append(letter(message_id=message_id), "INBOX" if number % 2 else "Projects")
    with imap_of(mailbox) as imap:
        imap.select("INBOX")
        imap.uid("MOVE", "1:2", "Projects")
        imap.uid("STORE", "3", "+FLAGS", r"(\Deleted)")
        imap.expunge()
    assert sync_account(account.pk).error is None

    subprocess.run([postgres_program("pg_restore"), "--no-owner", "-d", restored, dump], check=True)
    env = {**environment(**mailbox.sandbox.environment()), "DATABASE_URL": restored, "LOG_LEVEL": "WARNING"}
    done = subprocess.run([sys.executable, "-c", AFTERWARDS], cwd=ROOT, env=env, stdout=subprocess.PIPE, check=True)
    held_back, synced, audited = map(json.loads, done.stdout.splitlines())
    assert held_back == {"held_back": 1}
    assert (synced["error"], synced["stored"]) == (None, len(since))
    assert (audited["error"], audited["missing"], audited["duplicated"]) == (None, 0, 0)
    with psycopg.connect(restored) as outside:
        stored = outside.execute("SELECT message_id FROM mailaccounts_message WHERE message_id LIKE '%letters.test'")
        assert Counter(each for (each,) in stored) == Counter([*before, *since])
        entries = outside.execute("SELECT count(*), count(DISTINCT message_id) FROM crm_timelineentry")
        assert entries.fetchone() == (10, 10)
        (state,) = outside.execute("SELECT state, code FROM mailaccounts_outgoing").fetchall()
        assert state == (OutgoingState.UNCERTAIN, "perhaps_sent_since")
