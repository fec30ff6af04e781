"""A migration that is killed at any step leaves an account that syncs, and can go on; no mail is lost or doubled."""

from __future__ import annotations

import json
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from django.utils import timezone

from mailaccounts import tasks
from mailaccounts.models import Credential, CredentialState, MailAccount, MigrationStep
from mailaccounts.rules.migration_states import MigrationState
from mailaccounts.services.consents import consent
from mailaccounts.services.moving import rollback
from mailaccounts.services.syncing.sync import sync_account
from tests import crm_process
from tests.crm.builders import make_contact
from tests.letters import CONTACT, letter, new_id
from tests.moving import moved
from tests.sandbox_crm import leave_for_consent, process_environment

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.sandbox_fixtures import SandboxMailbox

# What a web process or a worker does, made to stop for good at the given call of the given function.
FREEZE = """
import importlib, json, sys, threading
import django
django.setup()
from django.contrib.auth import get_user_model
from mailaccounts.models import MailAccount
from mailaccounts.services.consents import consent
from mailaccounts.services.moving import rollback
from mailaccounts.services.syncing.sync import sync_account
module, name, calls, act, account, params = *sys.argv[1:3], int(sys.argv[3]), sys.argv[4], sys.argv[5], sys.argv[6]
module = importlib.import_module(module)
original, seen = getattr(module, name), 0
def frozen(*args, **kwargs):
    global seen
    seen += 1
    if seen == calls:
        print("frozen", flush=True)
        threading.Event().wait()
    return original(*args, **kwargs)
setattr(module, name, frozen)
account = MailAccount.objects.get(pk=account)
if act == "consent":
    consent.complete("microsoft", json.loads(params), user=account.owner)
elif act == "sync":
    sync_account(account.pk)
else:
    rollback.roll_back(account, actor=account.owner)
"""

MIGRATE, STEPS = "mailaccounts.services.moving.migrate", "mailaccounts.services.moving.steps"
IN_A_TRANSACTION = {"advance", "retire", "reset_status"}  # the account is locked: a sync would wait


class Post:
    """Letters of the contact's that keep arriving, whatever happens."""

    def __init__(self, mailbox: SandboxMailbox) -> None:
        self.mailbox, self.ids = mailbox, list[str]()

    def arrives(self) -> None:
        self.ids.append(new_id())
        self.mailbox.append(letter(message_id=self.ids[-1]), "INBOX" if len(self.ids) % 2 else "Projects")

    def is_stored_once(self, account: MailAccount) -> bool:
        return Counter(account.messages.values_list("message_id", flat=True)) == Counter(self.ids)


@pytest.fixture
def post(mailbox: SandboxMailbox, account: MailAccount) -> Post:
    """Some letters, synced."""
    make_contact(CONTACT)
    post = Post(mailbox)
    for _ in range(4):
        post.arrives()
    assert sync_account(account.pk).stored == 4
    account.refresh_from_db()
    return post


@contextmanager
def killed(act: str, post: Post, account: MailAccount, *stop_at: object, params: object = None) -> Iterator[None]:
    """For the block the process stands still at that point; then it is killed."""
    with crm_process.killed(
        FREEZE,
        *map(str, stop_at),
        act,
        str(account.pk),
        json.dumps(params),
        env=process_environment(post.mailbox.sandbox),
    ):
        yield


def consent_of(account: MailAccount, mailbox: SandboxMailbox) -> dict[str, str]:
    """What the provider sends back once the mailbox's user has allowed us."""
    return mailbox.sandbox.idp.person(mailbox.user).consent(leave_for_consent(account, account.owner))


def time_passes() -> None:
    """Whoever was at a step is given up, and so is whoever had an account."""
    now = timezone.now()
    MigrationStep.objects.filter(next_at__isnull=False).update(next_at=now)
    MailAccount.objects.update(lease_until=now, next_sync_at=now)


@pytest.mark.parametrize(
    ("stop_at", "state"),
    [
        ((MIGRATE, "consented", 1), None),  # the provider has granted, nothing is stored
        ((STEPS, "advance", 1), None),  # being stored, not committed
        ((MIGRATE, "prove", 1), MigrationState.CONSENTED),
        (("mailaccounts.services.moving.snapshot", "take", 1), MigrationState.CONSENTED),  # signed in with both
        ((STEPS, "advance", 2), MigrationState.CONSENTED),  # proven, not committed
        ((MIGRATE, "swap", 1), MigrationState.VERIFIED),
        ((MIGRATE, "retire", 1), MigrationState.VERIFIED),  # in the middle of the switch
        ((MIGRATE, "reset_status", 1), MigrationState.VERIFIED),  # all but committed
        (("mailaccounts.queue", "_send", 1), MigrationState.SWITCHED),  # committed, nobody told
    ],
    ids=lambda each: f"{each[1]}-{each[2]}" if isinstance(each, tuple) else each and str(each),
)
def test_a_switch_killed_there_leaves_an_account_that_syncs_and_goes_on(
    account: MailAccount,
    mailbox: SandboxMailbox,
    post: Post,
    stop_at: tuple[str, str, int],
    state: MigrationState | None,
) -> None:
    with killed("consent", post, account, *stop_at, params=consent_of(account, mailbox)):
        post.arrives()
        if state is not MigrationState.SWITCHED and stop_at[1] not in IN_A_TRANSACTION:
            assert sync_account(account.pk).error is None, "the old sign-in serves meanwhile"
    step = MigrationStep.objects.first()
    assert (step.state if step else None) == state
    used = Credential.objects.get(state=CredentialState.ACTIVE).backend
    assert used == ("xoauth2" if state == MigrationState.SWITCHED else "password")
    time_passes()
    post.arrives()
    assert sync_account(account.pk).error is None
    assert post.is_stored_once(account)

    post.arrives()
    if state is None:  # nothing is left of it: its owner begins anew
        consent.complete("microsoft", consent_of(account, mailbox), user=account.owner)
    else:
        tasks.tick()
        tasks.move(account.pk)
    step = MigrationStep.objects.get()
    assert (step.state, step.code) == (MigrationState.SWITCHED, "")
    assert Credential.objects.filter(state=CredentialState.PENDING).count() == 0
    post.arrives()
    report = sync_account(account.pk)
    assert report.error is None
    assert post.is_stored_once(account)
    step.refresh_from_db()
    assert (step.certificate["lost"], step.certificate["doubled"], step.certificate["fetched_again"]) == (0, 0, 0)
    assert step.certificate["compared_with"] == "old"


def test_a_sync_killed_at_the_comparison_leaves_the_certificate_to_the_next(
    account: MailAccount, mailbox: SandboxMailbox, post: Post
) -> None:
    moved(account, mailbox)
    with killed("sync", post, account, "mailaccounts.services.moving.certificate", "compare", 1):
        post.arrives()
    assert MigrationStep.objects.get().certificate is None
    time_passes()
    assert sync_account(account.pk).error is None
    assert post.is_stored_once(account)
    assert MigrationStep.objects.get().certificate["lost"] == 0


@pytest.mark.parametrize(
    "stop_at",
    [
        ("mailaccounts.services.moving.rollback", "_prove", 1),
        ("mailaccounts.services.moving.rollback", "destroy", 1),
        ("mailaccounts.services.moving.rollback", "reset_status", 1),
    ],
    ids=lambda stop: stop[1],
)
def test_a_rollback_killed_there_leaves_the_new_sign_in_and_can_be_repeated(
    account: MailAccount, mailbox: SandboxMailbox, post: Post, stop_at: tuple[str, str, int]
) -> None:
    moved(account, mailbox)
    with killed("rollback", post, account, *stop_at):
        post.arrives()
    assert Credential.objects.get(state=CredentialState.ACTIVE).backend == "xoauth2"
    time_passes()
    assert sync_account(account.pk).error is None
    post.arrives()
    rollback.roll_back(account, actor=account.owner)
    assert account.credentials.get().backend == "password"
    assert MigrationStep.objects.get().state == MigrationState.ROLLED_BACK
    assert sync_account(account.pk).error is None
    assert post.is_stored_once(account)
