"""What was erased with a person doesn't come back, whoever else is in it, and isn't missed."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from django.utils import timezone

from crm.contacts import save_contact
from mailaccounts.models import Folder, Why
from mailaccounts.services.checking.compare import compare_account
from mailaccounts.services.people import forgetting
from mailaccounts.services.storing import cursors
from mailaccounts.services.syncing.sync import sync_account
from tests.app.builders import make_account
from tests.integration.mailboxes import stored_ids
from tests.letters import CONTACT, letter

if TYPE_CHECKING:
    from crm.models import Contact
    from mailaccounts.models import MailAccount
    from tests.sandbox_fixtures import SandboxMailbox

THOMAS = "thomas@customer.test"


def test_what_was_erased_with_a_person_stays_away(
    account: MailAccount, mailbox: SandboxMailbox, contact: Contact
) -> None:
    save_contact(name="Thomas", addresses=[THOMAS])
    mailbox.append(letter(THOMAS, message_id="thomas@x"))
    mailbox.append(letter(CONTACT, f"me@sandbox.test, {THOMAS}", message_id="both@x"))
    assert sync_account(account.pk).finished
    assert stored_ids(account) == ["both@x", "thomas@x"]
    contact.delete()
    assert forgetting.go_on(forgetting.begin([CONTACT], why=Why.PERSON, asked_by=None).pk)
    assert stored_ids(account) == ["thomas@x"]
    Folder.objects.filter(account=account, history_until__gt=0).update(**cursors.all_again())
    mailbox.append(letter(CONTACT, f"me@sandbox.test, {THOMAS}", message_id="new@x"))
    assert sync_account(account.pk).finished
    assert stored_ids(account) == ["new@x", "thomas@x"]
    assert compare_account(account.pk).agrees


def test_who_is_added_again_while_their_mail_is_erased_is_looked_for(
    account: MailAccount, mailbox: SandboxMailbox, contact: Contact
) -> None:
    busy = make_account(lease_owner="somebody", lease_until=timezone.now() + timedelta(minutes=1))
    mailbox.append(letter(CONTACT, message_id="erased@x"))
    assert sync_account(account.pk).finished
    contact.delete()
    erasing = forgetting.begin([CONTACT], why=Why.PERSON, asked_by=None)
    assert not forgetting.go_on(erasing.pk)
    mailbox.append(letter(CONTACT, message_id="meanwhile@x"))
    assert sync_account(account.pk).finished
    assert stored_ids(account) == []
    save_contact(name="Maria", addresses=[CONTACT])
    busy.lease_owner = ""
    busy.save()
    assert forgetting.go_on(erasing.pk)
    assert sync_account(account.pk).finished
    assert stored_ids(account) == ["meanwhile@x"]


def test_what_a_sync_finds_of_them_before_the_erasing_is_over_stays(
    account: MailAccount, mailbox: SandboxMailbox
) -> None:
    mailbox.append(letter(CONTACT, message_id="meanwhile@x"))
    assert sync_account(account.pk).finished
    erasing = forgetting.begin([CONTACT], why=Why.PERSON, asked_by=None)
    save_contact(name="Maria", addresses=[CONTACT])
    assert sync_account(account.pk).finished
    assert forgetting.go_on(erasing.pk)
    assert stored_ids(account) == ["meanwhile@x"]
