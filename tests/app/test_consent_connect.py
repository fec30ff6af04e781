"""A mailbox connected by consent alone: nothing half-made is ever stored; what was granted is kept or given back."""

from __future__ import annotations

import dataclasses
import threading
from datetime import date
from typing import TYPE_CHECKING, Any

import pytest
from django.db import IntegrityError, connection
from django_q.models import OrmQ

from mailaccounts.crypto import Secret
from mailaccounts.errors import (
    AlreadyConnected,
    AnotherAddress,
    ConsentDeclined,
    ConsentExpired,
    InvalidInput,
    MailAccountsError,
    MailboxRefused,
    NetworkError,
    ScopeMissing,
    TooManyAttempts,
)
from mailaccounts.models import AuditAction, AuditEntry, ConsentAttempt, Credential, Grant, MailAccount, OAuthClient
from mailaccounts.services.connecting.wish import Purpose, Wish
from mailaccounts.services.consents import consent
from mailaccounts.services.signing_in.login import open_imap, open_smtp
from tests.app.builders import make_account, make_user
from tests.sandbox_crm import REDIRECT_URI, connect_by_consent, connect_by_password, draft_of, leave_to_connect

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_django.fixtures import SettingsWrapper

    from tests.sandbox_fixtures import SandboxMailbox

pytestmark = pytest.mark.django_db(transaction=True)


def nothing_is_stored() -> bool:
    rows = (MailAccount, Credential, Grant, ConsentAttempt, OrmQ)
    return not any(model.objects.exists() for model in rows)


def has_no_grant(mailbox: SandboxMailbox) -> bool:
    """Whether the provider knows of no grant of this person's any more; asking ends what there is."""
    return mailbox.sandbox.idp.faults.revoke(mailbox.address) == 0


# --- how it ends well ------------------------------------------------------------------------------------------


def test_a_mailbox_is_connected_without_a_password(anna: SandboxMailbox) -> None:
    user = make_user()
    account = connect_by_consent(anna, user)
    assert (account.owner, account.address, account.imap, account.smtp) == (
        user,
        anna.address,
        anna.sandbox.imap,
        anna.sandbox.smtp,
    )
    credential = account.credentials.get()
    assert (credential.backend, credential.username, credential.smtp_username) == ("xoauth2", anna.address, "")
    assert credential.secret is None
    assert credential.grant.signed_in_as == anna.address
    with open_imap(account) as session, open_smtp(account):
        assert session.select("INBOX")


@pytest.mark.usefixtures("every_provider")
@pytest.mark.parametrize(
    ("domain", "provider"), [("sandbox.test", "microsoft"), ("google.test", "google"), ("oidc.test", "oidc")]
)
def test_each_provider_connects_its_own_mailboxes(
    new_mailbox: Callable[..., SandboxMailbox], domain: str, provider: str
) -> None:
    mailbox = new_mailbox(domain=domain)
    account = connect_by_consent(mailbox, make_user())
    grant = account.credentials.get().grant
    assert (grant.client.provider, grant.signed_in_as) == (provider, mailbox.address)
    with open_imap(account), open_smtp(account):
        pass


def test_the_first_sync_is_queued(anna: SandboxMailbox) -> None:
    account = connect_by_consent(anna, make_user())
    assert OrmQ.objects.get().task["args"] == (account.pk,)


def test_what_was_asked_for_is_kept_until_the_way_back(anna: SandboxMailbox) -> None:
    starttls = anna.sandbox.imap_starttls
    account = connect_by_consent(anna, make_user(), imap=starttls, smtp=None, since=date(2020, 5, 17))
    assert (account.imap, account.smtp, account.since) == (starttls, None, date(2020, 5, 17))


def test_it_is_in_the_audit_trail_with_who_did_it_and_who_signed_in(anna: SandboxMailbox) -> None:
    user = make_user()
    account = connect_by_consent(anna, user)
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.actor, entry.owner, entry.account) == (AuditAction.CONNECTED, user, user, account.pk)
    grant = Grant.objects.get()
    assert entry.facts["identity"] == {
        "issuer": grant.issuer,
        "subject": grant.subject,
        "tenant": grant.tenant,
        "object_id": grant.object_id,
        "address": anna.address,
    }
    assert grant.access_token.reveal_text() not in str(entry.facts)


def test_a_local_part_for_a_user_name_is_no_name_for_a_consent(anna: SandboxMailbox) -> None:
    account = connect_by_consent(anna, make_user(), username=anna.address.partition("@")[0])
    assert account.credentials.get().username == anna.address


# --- before leaving --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"address": "nonsense"}, InvalidInput),
        ({"address": '"an\1na"@sandbox.test'}, InvalidInput),
        ({"username": "an\r\nna@sandbox.test"}, InvalidInput),
    ],
)
def test_nobody_leaves_for_what_can_not_be_connected(
    anna: SandboxMailbox, changes: dict[str, str], error: type[MailAccountsError]
) -> None:
    with pytest.raises(error):
        leave_to_connect(anna, make_user(), **changes)
    assert nothing_is_stored()


def test_nobody_leaves_for_a_mailbox_that_is_connected(anna: SandboxMailbox) -> None:
    account = make_account(address=anna.address.upper())
    with pytest.raises(AlreadyConnected):
        leave_to_connect(anna, account.owner)
    assert leave_to_connect(anna, make_user())  # somebody else may


def test_tries_are_counted(anna: SandboxMailbox, settings: SettingsWrapper) -> None:
    settings.MAILACCOUNTS = {**settings.MAILACCOUNTS, "CONNECTION_TESTS": 1}
    user = make_user()
    leave_to_connect(anna, user)
    with pytest.raises(TooManyAttempts):
        leave_to_connect(anna, user)


# --- how it comes to nothing -----------------------------------------------------------------------------------


def test_declining_stores_nothing_but_that_it_came_to_nothing(anna: SandboxMailbox) -> None:
    user = make_user()
    params = anna.sandbox.idp.person(anna.user).decline(leave_to_connect(anna, user))
    with pytest.raises(ConsentDeclined):
        consent.complete("microsoft", params, user=user)
    assert nothing_is_stored()
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.account, entry.address) == (AuditAction.CONSENT_REFUSED, 0, anna.address)
    assert (entry.actor, entry.owner) == (user, user)
    assert entry.facts == {"code": "consent_declined", "purpose": "connect", "client": "Microsoft"}


def test_somebody_else_than_the_mailbox_is_asked_whether_that_is_meant(
    anna: SandboxMailbox, new_mailbox: Callable[[], SandboxMailbox]
) -> None:
    bert = new_mailbox()
    with pytest.raises(AnotherAddress) as caught:
        connect_by_consent(anna, make_user(), person=bert)
    assert caught.value.message.startswith(
        f"You signed in to Microsoft as {bert.address}, but the mailbox is {anna.address}. Nothing was changed."
    )
    assert nothing_is_stored()
    assert has_no_grant(bert)


def test_saying_that_it_is_shared_opens_no_mailbox_by_itself(
    anna: SandboxMailbox, new_mailbox: Callable[[], SandboxMailbox]
) -> None:
    bert = new_mailbox()
    with pytest.raises(MailboxRefused):
        connect_by_consent(anna, make_user(), person=bert, shared=True)
    assert nothing_is_stored()
    assert has_no_grant(bert)


def test_a_permission_that_was_withheld_is_named_and_nothing_stored(anna: SandboxMailbox) -> None:
    anna.sandbox.idp.faults.withhold_scopes("SMTP.Send")
    with pytest.raises(ScopeMissing, match=r"smtp\.send"):
        connect_by_consent(anna, make_user())
    assert nothing_is_stored()
    assert has_no_grant(anna)


@pytest.mark.parametrize("server", ["imap", "smtp"])
def test_a_server_that_can_not_be_reached_stores_nothing_and_gives_the_grant_back(
    anna: SandboxMailbox, server: str
) -> None:
    nowhere = dataclasses.replace(getattr(anna.sandbox, server), host="no-such-host.invalid")
    with pytest.raises(NetworkError):
        connect_by_consent(anna, make_user(), **{server: nowhere})
    assert nothing_is_stored()
    assert has_no_grant(anna)


def test_a_database_that_fails_stores_nothing_and_gives_the_grant_back(
    anna: SandboxMailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise IntegrityError("on purpose")

    monkeypatch.setattr("mailaccounts.services.connecting.connect.note", fail)  # the last thing in the transaction
    with pytest.raises(IntegrityError):
        connect_by_consent(anna, make_user())
    assert nothing_is_stored()
    assert has_no_grant(anna)


def test_a_mailbox_connected_meanwhile_stays_as_it_is(anna: SandboxMailbox) -> None:
    user, sandbox = make_user(), anna.sandbox
    params = sandbox.idp.person(anna.user).consent(leave_to_connect(anna, user))
    connect_by_password(anna, user)
    with pytest.raises(AlreadyConnected):
        consent.complete("microsoft", params, user=user)
    assert Credential.objects.get().backend == "password"
    assert has_no_grant(anna)


# --- who may come back, and how often --------------------------------------------------------------------------


def test_a_callback_makes_one_account(anna: SandboxMailbox) -> None:
    user = make_user()
    params = anna.sandbox.idp.person(anna.user).consent(leave_to_connect(anna, user))
    outcomes, start = [], threading.Barrier(2)

    def come_back() -> None:
        start.wait()
        try:
            consent.complete("microsoft", params, user=user)
            outcomes.append("connected")
        except MailAccountsError as error:
            outcomes.append(error.code)
        connection.close()

    threads = [threading.Thread(target=come_back) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["connected", "consent_expired"]
    assert MailAccount.objects.count() == Grant.objects.count() == 1


def test_two_consents_for_one_mailbox_at_the_same_moment_make_one_account(anna: SandboxMailbox) -> None:
    user, person = make_user(), anna.sandbox.idp.person(anna.user)
    answers = [person.consent(leave_to_connect(anna, user)) for _ in range(2)]
    outcomes, start = [], threading.Barrier(2)

    def come_back(params: dict[str, str]) -> None:
        start.wait()
        try:
            consent.complete("microsoft", params, user=user)
            outcomes.append("connected")
        except MailAccountsError as error:
            outcomes.append(error.code)
        connection.close()

    threads = [threading.Thread(target=come_back, args=[params]) for params in answers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["already_connected", "connected"]
    account = MailAccount.objects.get()
    assert account.credentials.get().grant == Grant.objects.get()
    with open_imap(account):
        pass


def test_another_user_can_not_finish_it(anna: SandboxMailbox) -> None:
    user = make_user()
    params = anna.sandbox.idp.person(anna.user).consent(leave_to_connect(anna, user))
    with pytest.raises(ConsentExpired):
        consent.complete("microsoft", params, user=make_user())
    assert not MailAccount.objects.exists()
    assert consent.complete("microsoft", params, user=user).owner == user


# --- several registrations of a provider -----------------------------------------------------------------------


def test_several_registrations_are_told_apart_by_name(anna: SandboxMailbox) -> None:
    named = consent.offers(make_account(address="a@unknown.test"))[0].client
    second = OAuthClient.objects.create(
        provider="microsoft",
        name="Contoso",
        authority=f"{anna.sandbox.idp.authority}/organizations",
        client_id=named.client_id,
        client_secret=Secret(anna.sandbox.idp.client_secret),
    )
    draft = draft_of(anna, make_user())
    labels = {offer.label: offer for offer in consent.offers(draft)}
    assert list(labels) == ["Microsoft (Microsoft)", "Microsoft (Contoso)"]

    wish = Wish(purpose=Purpose.CONNECT, draft=draft)
    offer = labels["Microsoft (Contoso)"]
    url = consent.begin(wish, user=draft.owner, offer=offer, redirect_uri=REDIRECT_URI)
    params = anna.sandbox.idp.person(anna.user).consent(url)
    account = consent.complete("microsoft", params, user=draft.owner)
    assert account.credentials.get().grant.client == second
    assert consent.offers(account)[0].client == second, "the one in use comes first"


def test_a_registration_that_was_switched_off_is_not_offered(anna: SandboxMailbox) -> None:
    draft = draft_of(anna, make_user())
    before = len(consent.offers(draft))
    extra = OAuthClient.objects.create(
        provider="microsoft",
        name="Old",
        authority="https://login.example.test/old",
        client_id="old",
        client_secret=Secret("x"),
        is_active=False,
    )
    assert len(consent.offers(draft)) == before
    OAuthClient.objects.filter(pk=extra.pk).update(is_active=True)
    assert len(consent.offers(draft)) == before + 1


def test_a_registration_whose_secret_can_not_be_opened_is_not_offered(
    anna: SandboxMailbox, settings: SettingsWrapper
) -> None:
    OAuthClient.objects.create(
        provider="microsoft",
        name="Lost",
        authority="https://login.example.test/lost",
        client_id="lost",
        client_secret=Secret("x"),
    )
    settings.MAILACCOUNTS = {**settings.MAILACCOUNTS, "SECRET_KEYS": ["AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="]}
    draft = draft_of(anna, make_user())
    assert [offer.client.name for offer in consent.offers(draft)] == ["Microsoft"]
