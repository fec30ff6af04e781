"""Two machines' workers need a new token of the same grant at the same moment; the provider rotates refresh tokens
and ends a grant whose old one is used again."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from django.utils import timezone

from mailaccounts.errors import GrantRevoked
from mailaccounts.models import Grant, GrantStatus
from mailaccounts.oauth.types import GrantState
from mailaccounts.services.registering import clients
from mailaccounts.services.signing_in.tokens import GrantTokens
from tests.sandbox_crm import make_real_grant, process_environment, world_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_django.fixtures import SettingsWrapper

    from mailaccounts.testing.sandbox import Sandbox
    from tests.sandbox_fixtures import SandboxMailbox

pytestmark = pytest.mark.django_db(transaction=True)

PROCESSES = 4
WORKER = """
import sys, uuid
import django
django.setup()
from mailaccounts.services.signing_in.tokens import GrantTokens
source = GrantTokens(uuid.UUID(sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
token = source.access_token()
print(token.value, flush=True)
"""


@pytest.fixture
def world(sandbox: Sandbox, settings: SettingsWrapper) -> Iterator[Sandbox]:
    settings.MAILACCOUNTS = world_of(sandbox, settings.MAILACCOUNTS)
    yield sandbox
    sandbox.idp.faults.reset()


@pytest.fixture
def grant(world: Sandbox, mailbox: SandboxMailbox) -> Grant:
    """A grant whose access token has run out."""
    made = make_real_grant(mailbox)
    now = timezone.now()
    Grant.objects.update(refreshed_at=now - timedelta(hours=1), expires_at=now)
    return made


def works(sandbox: Sandbox, token: str) -> bool:
    """Asks the provider, as the mail servers do."""
    answer = sandbox.idp.session().post(
        sandbox.idp.introspection_url("imap", with_secret=True), data={"token": token}, timeout=30
    )
    return json.loads(answer.text)["active"] is True


def test_processes_that_refresh_the_same_grant_at_once_all_get_a_working_token(
    grant: Grant, mailbox: SandboxMailbox
) -> None:
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", WORKER, str(grant.pk)],
            env=process_environment(mailbox.sandbox),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(PROCESSES)
    ]
    for worker in workers:
        assert worker.stdout
        assert worker.stdout.readline() == "ready\n"
    for worker in workers:
        assert worker.stdin
        worker.stdin.write("go\n")
        worker.stdin.flush()
    tokens = [worker.communicate(timeout=60)[0].strip() for worker in workers]
    assert [worker.returncode for worker in workers] == [0] * PROCESSES
    assert all(works(mailbox.sandbox, token) for token in tokens)
    after = Grant.objects.get(pk=grant.pk)
    assert (after.status, after.version) == (GrantStatus.ACTIVE, 1)


def test_the_provider_really_ends_a_grant_whose_old_refresh_token_comes_again(
    grant: Grant, mailbox: SandboxMailbox
) -> None:
    """Else the test above would prove nothing."""
    provider = clients.provider_for(grant.client)
    used = GrantState(grant.state.reveal())
    provider.refresh(used)
    with pytest.raises(GrantRevoked):
        provider.refresh(used)


def test_the_rotated_refresh_token_goes_on_working(grant: Grant, mailbox: SandboxMailbox) -> None:
    source = GrantTokens(grant.pk)
    tokens = {source.access_token(fresh=turn > 0).value for turn in range(4)}
    assert len(tokens) == 4
    assert works(mailbox.sandbox, source.access_token().value)
