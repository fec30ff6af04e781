"""Shared mailboxes: one person signs in, another mailbox is opened and sent from."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import pytest

from mailaccounts.errors import AnotherAddress, MailboxRefused, WrongIdentity
from mailaccounts.models import AuditEntry, Credential, Grant, MailAccount
from mailaccounts.services.connecting.identity import is_shared
from mailaccounts.services.connecting.wish import Purpose, Wish
from mailaccounts.services.signing_in.login import open_imap, open_smtp
from tests.app.builders import make_user
from tests.sandbox_crm import (
    connect_by_consent,
    connect_by_password,
    leave_for_consent,
    leave_to_connect,
    switch_by_consent,
)
from tests.sandbox_fixtures import SandboxMailbox

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def office(world: object, new_mailbox: Callable[..., SandboxMailbox]) -> SandboxMailbox:
    """A mailbox that nobody signs in to."""
    return new_mailbox()


@pytest.fixture
def anna(office: SandboxMailbox, new_mailbox: Callable[..., SandboxMailbox]) -> SandboxMailbox:
    """Somebody who may open the office's mailbox and send as it."""
    somebody = new_mailbox()
    user = office.sandbox.add_user(replace(somebody.user, shared=(office.address,)))
    return SandboxMailbox(sandbox=office.sandbox, user=user)


def asked(url: str) -> dict[str, list[str]]:
    return parse_qs(urlsplit(url).query)


def test_one_signs_in_and_another_mailbox_is_opened(anna: SandboxMailbox, office: SandboxMailbox) -> None:
    account = connect_by_consent(office, make_user(), person=anna, shared=True)
    credential = account.credentials.get()
    assert account.address == office.address
    assert (credential.username, credential.smtp_username) == (office.address, anna.address)
    assert credential.grant.signed_in_as == anna.address
    assert is_shared(account)
    with open_imap(account), open_smtp(account):
        pass


def test_the_mailbox_is_not_who_the_provider_is_told_to_expect(anna: SandboxMailbox, office: SandboxMailbox) -> None:
    assert "login_hint" not in asked(leave_to_connect(office, make_user(), shared=True))
    assert asked(leave_to_connect(office, make_user()))["login_hint"] == [office.address]


def test_nobody_opens_another_mailbox_without_having_said_so(anna: SandboxMailbox, office: SandboxMailbox) -> None:
    """The mail server would open it."""
    with pytest.raises(AnotherAddress):
        connect_by_consent(office, make_user(), person=anna)
    assert not (MailAccount.objects.exists() or Grant.objects.exists())


def test_the_owner_of_a_mailbox_may_say_that_it_is_shared(office: SandboxMailbox) -> None:
    account = connect_by_consent(office, make_user(), shared=True)
    assert account.credentials.get().smtp_username == ""
    assert not is_shared(account)


def test_a_shared_mailbox_that_is_only_read_knows_who_is_behind_it(
    anna: SandboxMailbox, office: SandboxMailbox
) -> None:
    account = connect_by_consent(office, make_user(), person=anna, shared=True, smtp=None)
    assert account.smtp is None
    assert account.credentials.get().smtp_username == anna.address


def test_an_account_with_a_password_becomes_a_shared_mailbox(anna: SandboxMailbox, office: SandboxMailbox) -> None:
    account = connect_by_password(office, make_user())
    with pytest.raises(AnotherAddress):
        switch_by_consent(account, anna)
    switch_by_consent(account, anna, shared=True)
    credential = account.credentials.get(state="active")
    assert (credential.username, credential.smtp_username) == (office.address, anna.address)


def test_reconnecting_expects_the_same_person_again(
    anna: SandboxMailbox, office: SandboxMailbox, new_mailbox: Callable[..., SandboxMailbox]
) -> None:
    account = connect_by_consent(office, make_user(), person=anna, shared=True)
    assert Wish.of(account, Purpose.RECONNECT).shared
    assert asked(leave_for_consent(account, account.owner))["login_hint"] == [anna.address]
    bert = SandboxMailbox(
        sandbox=office.sandbox, user=office.sandbox.add_user(replace(new_mailbox().user, shared=(office.address,)))
    )
    with pytest.raises(WrongIdentity) as caught:
        switch_by_consent(account, bert)
    assert type(caught.value) is WrongIdentity
    assert f"as {bert.address}, but {office.address} is connected with the sign-in of {anna.address}" in str(
        caught.value
    )
    switch_by_consent(account, anna)
    assert account.credentials.get().smtp_username == anna.address


def test_somebody_who_lost_access_is_told(anna: SandboxMailbox, office: SandboxMailbox) -> None:
    office.sandbox.add_user(replace(anna.user, shared=()))
    with pytest.raises(MailboxRefused, match=f"as {anna.address}, but that sign-in may not open") as caught:
        connect_by_consent(office, make_user(), person=anna, shared=True)
    assert office.address in str(caught.value)


def test_the_audit_trail_remembers_that_it_is_shared_once_the_credential_is_gone(
    anna: SandboxMailbox, office: SandboxMailbox, new_mailbox: Callable[..., SandboxMailbox]
) -> None:
    account = connect_by_consent(office, make_user(), person=anna, shared=True)
    assert AuditEntry.objects.get().facts["shared"]
    Credential.objects.all().delete()
    Grant.objects.all().delete()
    assert is_shared(account)
    assert asked(leave_for_consent(account, account.owner))["login_hint"] == [anna.address]
    switch_by_consent(account, anna)
    assert account.credentials.get().smtp_username == anna.address
