"""Reading only is a choice; leave to send is asked for once it is wanted, of the same person, on the same account."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from django.utils import timezone

from mailaccounts.errors import NetworkError, ScopeMissing, SendingNotAllowed, WrongIdentity
from mailaccounts.models import AuditAction, AuditEntry, Credential, Folder, Grant, MailAccount
from mailaccounts.services.connecting.wish import Purpose, Wish
from mailaccounts.services.consents import consent
from mailaccounts.services.signing_in.login import open_imap, open_smtp
from tests.app.builders import make_user
from tests.sandbox_crm import come_back, connect_by_consent, leave, leave_for_consent, leave_to_connect

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.sandbox_fixtures import SandboxMailbox

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def reader(anna: SandboxMailbox) -> MailAccount:
    """Anna's account, which only reads, synced up to message 42."""
    account = connect_by_consent(anna, make_user(), smtp=None)
    Folder.objects.create(account=account, name="INBOX", uidvalidity=7, last_uid=42, examined=42)
    MailAccount.objects.update(last_sync_at=timezone.now())
    account.refresh_from_db()
    return account


def leave_to_send(account: MailAccount, mailbox: SandboxMailbox) -> str:
    wish = Wish.of(account, Purpose.SEND).sending(through=mailbox.sandbox.smtp)
    return leave(wish, account.owner, account=account)


def test_who_only_reads_is_not_asked_for_leave_to_send(anna: SandboxMailbox) -> None:
    assert "SMTP.Send" in leave_to_connect(anna, make_user())
    assert "SMTP.Send" not in leave_to_connect(anna, make_user(), smtp=None)


def test_an_account_that_only_reads_has_no_server_and_no_leave_to_send(reader: MailAccount) -> None:
    assert reader.smtp is None
    assert "SMTP.Send" not in Grant.objects.get().scopes
    with open_imap(reader):
        pass
    with pytest.raises(SendingNotAllowed):
        open_smtp(reader)


def test_sending_is_allowed_later_on_the_same_account(reader: MailAccount, anna: SandboxMailbox) -> None:
    folder, before = Folder.objects.values().get(), Grant.objects.get()
    url = leave_to_send(reader, anna)
    assert "SMTP.Send" in url
    after = come_back(url, anna, reader.owner)
    assert after.pk == reader.pk
    assert after.smtp == anna.sandbox.smtp
    grant = Grant.objects.get()
    assert grant.pk != before.pk
    assert "SMTP.Send" in grant.scopes
    assert Folder.objects.values().get() == folder
    assert Credential.objects.get().grant == grant
    with open_imap(after), open_smtp(after):
        pass


def test_only_the_same_person_may_allow_it(
    reader: MailAccount, anna: SandboxMailbox, new_mailbox: Callable[..., SandboxMailbox]
) -> None:
    before = Grant.objects.get()
    with pytest.raises(WrongIdentity):
        come_back(leave_to_send(reader, anna), new_mailbox(), reader.owner)
    reader.refresh_from_db()
    assert (reader.smtp, Grant.objects.get()) == (None, before)


def test_leave_that_is_withheld_leaves_the_account_reading(reader: MailAccount, anna: SandboxMailbox) -> None:
    before = Grant.objects.get()
    anna.sandbox.idp.faults.withhold_scopes("SMTP.Send")
    with pytest.raises(ScopeMissing, match=r"smtp\.send"):
        come_back(leave_to_send(reader, anna), anna, reader.owner)
    reader.refresh_from_db()
    assert (reader.smtp, Grant.objects.get()) == (None, before)
    with open_imap(reader):
        pass


def test_a_server_that_does_not_let_one_send_leaves_the_account_reading(
    reader: MailAccount, anna: SandboxMailbox
) -> None:
    nowhere = replace(anna.sandbox.smtp, host="no-such-host.invalid")
    wish = Wish.of(reader, Purpose.SEND).sending(through=nowhere)
    with pytest.raises(NetworkError):
        come_back(leave(wish, reader.owner, account=reader), anna, reader.owner)
    reader.refresh_from_db()
    assert reader.smtp is None
    with open_imap(reader):
        pass


def test_reading_only_can_be_chosen_when_an_account_signs_in_anew(anna: SandboxMailbox) -> None:
    account = connect_by_consent(anna, make_user())
    wish = Wish.of(account, Purpose.RECONNECT).sending(through=None)
    after = come_back(leave(wish, account.owner, account=account), anna, account.owner)
    assert after.smtp is None
    assert "SMTP.Send" not in Grant.objects.get().scopes


def test_it_is_noted_that_an_account_may_send_now(reader: MailAccount, anna: SandboxMailbox) -> None:
    come_back(leave_to_send(reader, anna), anna, reader.owner)
    sends = AuditEntry.objects.order_by("at").values_list("action", "facts__sends")
    assert list(sends) == [(AuditAction.CONNECTED, False), (AuditAction.RECONNECTED, True)]


@pytest.mark.usefixtures("every_provider")
@pytest.mark.parametrize(("domain", "apart"), [("sandbox.test", True), ("google.test", False), ("oidc.test", False)])
def test_whether_sending_is_a_permission_of_its_own(
    new_mailbox: Callable[..., SandboxMailbox], domain: str, apart: bool
) -> None:
    mailbox = new_mailbox(domain=domain)
    account = connect_by_consent(mailbox, make_user(), smtp=None)
    (offer,) = consent.offers(account)
    assert offer.tells_sending_apart is apart
    after = come_back(leave_to_send(account, mailbox), mailbox, account.owner)
    with open_imap(after), open_smtp(after):
        pass


@pytest.mark.usefixtures("every_provider")
@pytest.mark.parametrize("domain", ["sandbox.test", "google.test", "oidc.test"])
def test_consenting_again_does_not_end_what_was_just_granted(
    new_mailbox: Callable[..., SandboxMailbox], domain: str
) -> None:
    """Google ends all that a person allowed us, whichever of its tokens is given back."""
    mailbox = new_mailbox(domain=domain)
    account = connect_by_consent(mailbox, make_user())
    come_back(leave_for_consent(account, account.owner), mailbox, account.owner)
    Grant.objects.update(expires_at=timezone.now(), refreshed_at=timezone.now())
    with open_imap(account):
        pass


@pytest.mark.usefixtures("every_provider")
@pytest.mark.parametrize("domain", ["sandbox.test", "google.test", "oidc.test"])
def test_less_than_was_asked_for_leaves_what_there_was(
    new_mailbox: Callable[..., SandboxMailbox], domain: str
) -> None:
    mailbox = new_mailbox(domain=domain)
    account = connect_by_consent(mailbox, make_user())
    mailbox.sandbox.idp.faults.withhold_scopes("SMTP.Send", "https://mail.google.com/", "mail")
    with pytest.raises(ScopeMissing):
        come_back(leave_for_consent(account, account.owner), mailbox, account.owner)
    Grant.objects.update(expires_at=timezone.now(), refreshed_at=timezone.now())
    with open_imap(account):
        pass


@pytest.mark.usefixtures("every_provider")
@pytest.mark.parametrize("domain", ["sandbox.test", "google.test", "oidc.test"])
def test_a_wrong_person_keeps_the_mailbox_of_their_own(
    new_mailbox: Callable[..., SandboxMailbox], domain: str
) -> None:
    mailbox, other = new_mailbox(domain=domain), new_mailbox(domain=domain)
    account, theirs = connect_by_consent(mailbox, make_user()), connect_by_consent(other, make_user())
    with pytest.raises(WrongIdentity):
        come_back(leave_for_consent(account, account.owner), other, account.owner)
    Grant.objects.update(expires_at=timezone.now(), refreshed_at=timezone.now())
    for each in (account, theirs):
        with open_imap(each):
            pass
