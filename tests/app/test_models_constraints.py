"""What must never be in the database, the database refuses."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.models import ProtectedError
from django.utils import timezone

from mailaccounts.models import Credential, CredentialState, Folder, Grant, MailAccount, Message, OAuthClient, Outgoing
from mailaccounts.services.storing import search, triggers
from tests.app.builders import (
    make_account,
    make_client,
    make_credential,
    make_grant,
    make_message,
    make_outgoing,
    make_user,
)

pytestmark = pytest.mark.django_db


def refused(action: Any, **columns: Any) -> bool:
    try:
        with transaction.atomic():
            action(**columns)
    except IntegrityError:
        return True
    return False


def test_an_address_is_connected_once_per_owner_whatever_its_case() -> None:
    owner = make_user()
    make_account(owner, "anna@example.test")
    assert refused(make_account, owner=owner, address="Anna@Example.test")
    make_account(make_user(), "anna@example.test")


@pytest.mark.parametrize(
    "columns",
    [
        {"imap_security": "plain"},
        {"smtp_security": "none"},
        {"imap_port": 0},
        {"smtp_port": 65_536},
        {"status": "fine"},
    ],
)
def test_an_account_is_always_encrypted_and_well_formed(columns: dict[str, Any]) -> None:
    assert refused(make_account, **columns)


@pytest.mark.parametrize("state", [CredentialState.ACTIVE, CredentialState.PENDING])
def test_an_account_has_one_credential_in_use_and_one_being_proven(state: CredentialState) -> None:
    account = make_account()
    make_credential(account, state=state)
    assert refused(make_credential, account=account, state=state)


def test_several_credentials_may_be_retired() -> None:
    account = make_account()
    for _ in range(2):
        make_credential(account, state=CredentialState.RETIRED, retired_at=timezone.now())
    assert account.credentials.count() == 2


def test_a_retired_credential_has_the_date_of_it_and_no_other_has() -> None:
    assert refused(make_credential, state=CredentialState.RETIRED)
    assert refused(make_credential, state=CredentialState.ACTIVE, retired_at=timezone.now())


def test_a_credential_has_either_a_secret_or_a_grant() -> None:
    account = make_account()
    neither = Credential(account=account, backend="password", username="u")
    both = Credential(account=account, backend="password", username="u", secret="s3cret", grant=make_grant())
    assert refused(neither.save)
    assert refused(both.save)


def test_a_state_or_status_that_does_not_exist_is_refused() -> None:
    assert refused(make_credential, state="maybe")
    assert refused(make_grant, status="maybe")


def test_a_rotation_nobody_claimed_is_refused() -> None:
    assert refused(Grant.objects.filter(pk=make_grant().pk).update, version=1)


def test_a_grant_in_use_and_its_app_registration_are_not_deleted() -> None:
    credential = make_credential(grant=make_grant())
    assert credential.grant
    with pytest.raises(ProtectedError):
        credential.grant.delete()
    with pytest.raises(ProtectedError):
        OAuthClient.objects.get(pk=credential.grant.client_id).delete()


def test_an_app_registration_is_kept_once() -> None:
    client = make_client()
    assert refused(make_client, authority=client.authority)


def test_a_folder_is_kept_once_per_account() -> None:
    account = make_account()
    Folder.objects.create(account=account, name="INBOX")
    assert refused(Folder.objects.create, account=account, name="INBOX")


@pytest.mark.parametrize(
    "columns",
    [
        {"state": "posted"},
        {"filing": "perhaps"},
        {"state": "queued"},  # without a message
        {"state": "sending", "raw": b"x"},  # that nobody queued
        {"state": "uncertain"},
        {"state": "sent", "filing": "done"},  # never
        {"state": "sent", "sent_at": timezone.now()},  # and not filed, due or not
        {"state": "sent", "sent_at": timezone.now(), "filing": "due"},  # with nothing to file
        {"state": "failed", "sent_at": timezone.now()},
        {"state": "failed", "filing": "done"},
    ],
)
def test_the_state_of_an_outgoing_message_and_what_it_says_of_it_agree(columns: dict[str, Any]) -> None:
    assert refused(make_outgoing, **columns)


def test_an_outgoing_message_has_a_message_id_of_its_own() -> None:
    message = make_outgoing()
    assert refused(make_outgoing, account=message.account, message_id=message.message_id)
    message.account.delete()
    assert not Outgoing.objects.exists()


def test_an_account_takes_everything_that_is_its_own_with_it() -> None:
    account = make_account()
    make_credential(account)
    Folder.objects.create(account=account, name="INBOX")
    account.delete()
    assert not MailAccount.objects.exists()
    assert not Credential.objects.exists()
    assert not Folder.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_the_search_follows_messages_through_a_migration_that_copies_their_table() -> None:
    account = make_account()
    early, other = make_message(account, subject="Quotation"), make_message(account, subject="Reminder")
    if connection.vendor == "sqlite":
        triggers.lift("default")
        with connection.schema_editor() as editor:
            editor._remake_table(Message)  # as most changes of a model do
    Message.objects.filter(pk=early.pk).update(subject="Invoice")  # as a migration of data may
    triggers.make("default")
    late = make_message(account, subject="Invoice")
    other.delete()

    def found(word: str) -> set[Message]:
        return set(Message.objects.filter(search.Holds(search.read(word), account.pk)))

    assert (found("invoice"), found("quotation"), found("reminder")) == ({early, late}, set(), set())
