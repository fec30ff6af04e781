"""Reconnecting in place: from every state, whatever an account signed in with, by whatever it signs in with next."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date
from typing import TYPE_CHECKING, Any

import pytest
from django.utils import timezone

from mailaccounts.crypto import Secret
from mailaccounts.errors import WrongIdentity
from mailaccounts.models import (
    AccountStatus,
    AuditAction,
    AuditEntry,
    Credential,
    CredentialState,
    Folder,
    Grant,
    GrantStatus,
    MailAccount,
    Message,
)
from mailaccounts.services.connecting.connect import reconnect
from mailaccounts.services.connecting.identity import identity_of
from mailaccounts.services.connecting.wish import Purpose, Wish
from mailaccounts.services.registering import clients
from mailaccounts.services.signing_in.login import open_imap, open_smtp
from tests.app.builders import make_account, make_credential, make_message, make_user
from tests.rewriting import rewriting
from tests.sandbox_crm import come_back, connect_by_consent, leave, make_real_grant

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.sandbox_fixtures import SandboxMailbox

pytestmark = pytest.mark.django_db(transaction=True)

SETTINGS = ("address", "owner_id", "imap_host", "imap_port", "smtp_host", "smtp_port", "since")


def an_account(mailbox: SandboxMailbox, status: AccountStatus, signs_in_with: str) -> MailAccount:
    """One that was synced up to message 42, and then came to this."""
    imap, smtp = mailbox.sandbox.imap, mailbox.sandbox.smtp
    account = make_account(
        make_user(),
        mailbox.address,
        imap_host=imap.host,
        imap_port=imap.port,
        smtp_host=smtp.host,
        smtp_port=smtp.port,
        since=date(2026, 1, 2),
        status=status,
        status_code="some_code",
        status_message="What happened. What to do.",
        failures=3,
        last_sync_at=timezone.now(),
    )
    Folder.objects.create(account=account, name="INBOX", uidvalidity=7, last_uid=42, examined=42)
    match signs_in_with:
        case "password" | "app_password":
            make_credential(account, backend=signs_in_with, secret="0utdated")
        case "consent" | "ended consent":
            grant = make_real_grant(mailbox)
            if signs_in_with == "ended consent":
                Grant.objects.update(status=GrantStatus.ENDED)
            make_credential(account, backend="xoauth2", grant=grant)
    return account


def by_password(account: MailAccount, mailbox: SandboxMailbox) -> None:
    reconnect(account, backend="password", username="", secret=Secret(mailbox.password), actor=account.owner)


def by_consent(account: MailAccount, mailbox: SandboxMailbox) -> None:
    come_back(leave(Wish.of(account, Purpose.RECONNECT), account.owner, account=account), mailbox, account.owner)


BEFORE = ["password", "app_password", "consent", "ended consent", "nothing"]
WAYS = [
    *((by_password, before, status) for before in BEFORE for status in AccountStatus.values),
    *((by_consent, before, AccountStatus.NEEDS_OWNER.value) for before in BEFORE),
    *((by_consent, "nothing", status) for status in AccountStatus.values if status != AccountStatus.NEEDS_OWNER),
]


@pytest.mark.parametrize(("way", "before", "status"), WAYS)
def test_an_account_is_reconnected_in_place(
    anna: SandboxMailbox, way: Callable[[MailAccount, SandboxMailbox], None], before: str, status: AccountStatus
) -> None:
    account = an_account(anna, status, before)
    folder = Folder.objects.values().get()
    settings = MailAccount.objects.values(*SETTINGS).get()
    way(MailAccount.objects.get(), anna)

    assert Folder.objects.values().get() == folder
    assert MailAccount.objects.values(*SETTINGS).get() == settings
    after = MailAccount.objects.get()
    assert (after.pk, after.status, after.status_code, after.failures) == (account.pk, AccountStatus.OK, "", 0)
    assert after.next_sync_at is not None
    backend = {by_password: "password", by_consent: "xoauth2"}[way]
    assert Credential.objects.get(state=CredentialState.ACTIVE).backend == backend
    with open_imap(after), open_smtp(after):
        pass

    entry = AuditEntry.objects.latest("at")
    old = {"consent": "xoauth2", "ended consent": "xoauth2", "nothing": backend}.get(before, before)
    action = AuditAction.RECONNECTED if old == backend else AuditAction.SWITCHED
    assert (entry.action, entry.actor, entry.account) == (action, account.owner, account.pk)
    assert entry.facts["backend"] == backend


def test_stored_mail_stays(anna: SandboxMailbox) -> None:
    account = an_account(anna, AccountStatus.DISCONNECTED, "nothing")
    make_message(account)
    by_consent(account, anna)
    assert Message.objects.get().account == account


# --- whose account it is ---------------------------------------------------------------------------------------


def test_a_disconnected_account_is_still_that_persons_who_connected_it(
    anna: SandboxMailbox, new_mailbox: Callable[..., SandboxMailbox]
) -> None:
    """Mail was kept, the credential and the grant are gone."""
    account = connect_by_consent(anna, make_user())
    Credential.objects.all().delete()
    Grant.objects.all().delete()
    MailAccount.objects.update(status=AccountStatus.DISCONNECTED)
    account.refresh_from_db()
    bert = new_mailbox()
    with pytest.raises(WrongIdentity) as caught:
        by_consent(account, bert)
    assert type(caught.value) is WrongIdentity
    assert bert.address in caught.value.message
    assert not Grant.objects.exists()
    by_consent(account, anna)
    assert Grant.objects.get().signed_in_as == anna.address


def test_the_last_sign_in_counts(anna: SandboxMailbox, new_mailbox: Callable[..., SandboxMailbox]) -> None:
    """Whoever has the mailbox's password may choose anew who consents for it."""
    account = connect_by_consent(anna, make_user())
    by_password(account, anna)
    Credential.objects.all().delete()
    elsewhere = {"identity": {**asdict(identity_of(some_grant())), "address": "somebody@example.test"}}
    with rewriting():
        AuditEntry.objects.filter(action=AuditAction.CONNECTED).update(facts=elsewhere)
    by_consent(account, anna)
    assert Grant.objects.get().signed_in_as == anna.address


def some_grant() -> Grant:
    return Grant(client=clients.registered("microsoft"), issuer="https://x.test", subject="x", signed_in_as="x")


@pytest.mark.parametrize(
    ("claims", "same"),
    [
        ({"oid": "another"}, False),
        ({"tid": "another"}, False),
        ({"preferred_username": "new-name@sandbox.test"}, True),
    ],
)
def test_entra_is_asked_for_tenant_and_object_id(anna: SandboxMailbox, claims: dict[str, Any], same: bool) -> None:
    account = connect_by_consent(anna, make_user())
    Grant.objects.update(status=GrantStatus.ENDED, subject="pairwise-for-another-registration")
    if "tid" in claims:
        Grant.objects.update(tenant="another")
    else:
        anna.sandbox.idp.faults.falsify_id_tokens(**claims)
    if same:
        by_consent(account, anna)
    else:
        with pytest.raises(WrongIdentity):
            by_consent(account, anna)
