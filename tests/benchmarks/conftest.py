"""An account of the CRM on the sandbox's Dovecot, and its mail as files."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from django.db import connection

from mailaccounts.models import MailAccount
from tests.app.builders import make_account, make_credential
from tests.benchmarks.maildir import Maildir
from tests.sandbox_crm import world_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_django.fixtures import SettingsWrapper

    from mailaccounts.testing.sandbox import Sandbox
    from tests.sandbox_fixtures import SandboxMailbox


@pytest.fixture
def world(sandbox: Sandbox, settings: SettingsWrapper) -> Sandbox:
    settings.MAILACCOUNTS = world_of(sandbox, settings.MAILACCOUNTS)
    return sandbox


@pytest.fixture
def maildir(world: Sandbox, mailbox: SandboxMailbox) -> Maildir:
    return Maildir(mailbox=mailbox)


@pytest.fixture
def mirror_directory(tmp_path: Path) -> Iterator[Path]:
    """In memory where there is any to be had: writing files is what makes the peer's times differ."""
    memory = Path("/dev/shm")  # noqa: S108 - a directory of our own in it
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else tmp_path) as directory:
        yield Path(directory)


def connected(mailbox: SandboxMailbox, *, port: int = 0) -> MailAccount:
    """A new account for ``mailbox``, reached through ``port``."""
    account = make_account(address=mailbox.address, imap_host="localhost", imap_port=port or mailbox.sandbox.imap.port)
    make_credential(account, mailbox.password)
    return account


def forget_all_mail() -> None:
    """As if no account had ever been connected, in no time."""
    with connection.cursor() as cursor:
        cursor.execute(f'TRUNCATE "{MailAccount._meta.db_table}" CASCADE')
        cursor.execute("VACUUM ANALYZE")


def octets_stored() -> int:
    """What the tables of all apps of ours, with their indexes, take of the disk."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT sum(pg_total_relation_size(oid)) FROM pg_class"
            " WHERE relkind = 'r' AND relname ~ '^(mailaccounts|crm)_'"
        )
        return int(cursor.fetchone()[0])
