"""A consent: offered with its reasons, tied to one person and one use, and harmless when it fails."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.db import connection
from django.utils import timezone

from mailaccounts.errors import (
    AnotherAddress,
    ClientMisconfigured,
    ClientMissing,
    ClientSecretExpired,
    ConsentDeclined,
    ConsentExpired,
    GrantRevoked,
    IdTokenInvalid,
    MailAccountsError,
    MailboxRefused,
    ProviderThrottled,
    ProviderUnavailable,
    ScopeMissing,
    UserUnknownAtProvider,
    WrongIdentity,
)
from mailaccounts.models import ConsentAttempt, Grant, MailAccount, OAuthClient
from mailaccounts.oauth.discovery import documents
from mailaccounts.services.consents import consent
from mailaccounts.services.signing_in.login import open_imap
from mailaccounts.services.signing_in.tokens import GrantTokens
from tests.app.builders import make_account, make_user
from tests.sandbox_crm import REDIRECT_URI, connect_by_password, leave_for_consent, switch_by_consent

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_django.fixtures import SettingsWrapper

    from tests.sandbox_fixtures import SandboxMailbox

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def account(anna: SandboxMailbox) -> MailAccount:
    """Anna's account, connected with her password."""
    return connect_by_password(anna, make_user())


def is_as_before(account: MailAccount, password: str) -> bool:
    """The password is still in use and nothing of the consent was kept."""
    credential = account.credentials.get()
    with open_imap(account):
        return bool(credential.secret.reveal_text() == password and not Grant.objects.exists())


def unregister(settings: SettingsWrapper) -> None:
    settings.MAILACCOUNTS = {**settings.MAILACCOUNTS, "CLIENTS": {}}


def register(settings: SettingsWrapper, **changes: str) -> None:
    microsoft = {**settings.MAILACCOUNTS["CLIENTS"]["microsoft"], **changes}
    settings.MAILACCOUNTS = {**settings.MAILACCOUNTS, "CLIENTS": {"microsoft": microsoft}}


# --- what is offered -------------------------------------------------------------------------------------------


def test_every_scope_is_offered_with_its_reason(account: MailAccount) -> None:
    (offer,) = consent.offers(account)
    assert (offer.client.provider, offer.label) == ("microsoft", "Microsoft")
    assert [scope.name.rpartition("/")[2] for scope in offer.scopes] == [
        "IMAP.AccessAsUser.All",
        "SMTP.Send",
        "offline_access",
    ]
    assert all(scope.reason for scope in offer.scopes)


def test_an_account_that_only_reads_is_never_asked_for_leave_to_send(account: MailAccount) -> None:
    MailAccount.objects.update(smtp_host="")
    account.refresh_from_db()
    assert "SMTP.Send" not in leave_for_consent(account, account.owner)
    assert not any(scope.sends for scope in consent.offers(account)[0].asked(sends=False))


def test_nothing_is_offered_without_an_app_registration(account: MailAccount, settings: SettingsWrapper) -> None:
    client = consent.offers(account)[0].client
    unregister(settings)
    assert consent.offers(account) == []
    with pytest.raises(ClientMissing):
        consent.pick(account, client.pk)


def test_nothing_is_offered_without_a_backend_for_it(account: MailAccount, settings: SettingsWrapper) -> None:
    backends = ["mailaccounts.backends.password.PasswordBackend"]
    settings.MAILACCOUNTS = {**settings.MAILACCOUNTS, "BACKENDS": backends}
    assert consent.offers(account) == []


@pytest.mark.parametrize(
    ("host", "offered"),
    [
        ("outlook.office365.com", ["microsoft"]),
        ("imap.gmail.com", []),
        ("imap.strato.de", []),
        ("mail.example", ["microsoft"]),
    ],
)
def test_a_known_mail_server_takes_only_its_own_providers_sign_in(
    world: object, host: str, offered: list[str]
) -> None:
    found = consent.offers(make_account(imap_host=host))
    assert [offer.client.provider for offer in found] == offered


# --- on the way ------------------------------------------------------------------------------------------------


def test_the_provider_is_asked_to_show_whose_mailbox_it_is_about(account: MailAccount) -> None:
    asked = parse_qs(urlsplit(leave_for_consent(account, account.owner)).query)
    assert asked["login_hint"] == [account.address]
    assert asked["prompt"] == ["select_account"]
    assert asked["redirect_uri"] == [REDIRECT_URI]


def test_the_attempt_is_kept_sealed_and_by_the_hash_of_its_state(account: MailAccount) -> None:
    url = leave_for_consent(account, account.owner)
    state = parse_qs(urlsplit(url).query)["state"][0]
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM mailaccounts_consentattempt")
        row = repr(cursor.fetchall())
    flow = ConsentAttempt.objects.get().flow.reveal_text()
    assert state in flow
    assert state not in row
    assert "code_verifier" not in row


def test_old_attempts_are_swept_away(account: MailAccount) -> None:
    leave_for_consent(account, account.owner)
    ConsentAttempt.objects.update(expires_at=timezone.now() - timedelta(minutes=1))
    leave_for_consent(account, account.owner)
    assert ConsentAttempt.objects.count() == 1


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (lambda faults: faults.fail(endpoint="discovery", status=500), ProviderUnavailable),
        (lambda faults: faults.throttle(endpoint="discovery"), ProviderThrottled),
    ],
)
def test_a_provider_that_is_down_is_not_left_for(
    account: MailAccount, anna: SandboxMailbox, fault: Callable[[Any], None], error: type[MailAccountsError]
) -> None:
    documents.forget()
    fault(anna.sandbox.idp.faults)
    with pytest.raises(error):
        leave_for_consent(account, account.owner)
    assert not ConsentAttempt.objects.exists()


def test_a_mistyped_tenant_alarms_the_operator(account: MailAccount, settings: SettingsWrapper) -> None:
    register(settings, tenant="no-such-tenant")
    with pytest.raises(ClientMisconfigured):
        leave_for_consent(account, account.owner)
    assert OAuthClient.objects.get().alarm_code == "authority_unknown"


# --- the way back ----------------------------------------------------------------------------------------------


def test_a_consent_switches_the_account(account: MailAccount, anna: SandboxMailbox) -> None:
    switched = switch_by_consent(account, anna)
    assert switched == account
    grant = Grant.objects.get()
    assert grant.signed_in_as == anna.address
    assert grant.issuer == anna.sandbox.idp.issuer
    assert grant.object_id
    assert not ConsentAttempt.objects.exists()
    with open_imap(account) as session:
        assert session.select("INBOX")


def test_declining_changes_nothing_and_uses_the_attempt_up(account: MailAccount, anna: SandboxMailbox) -> None:
    params = anna.sandbox.idp.person(anna.user).decline(leave_for_consent(account, account.owner))
    with pytest.raises(ConsentDeclined):
        consent.complete("microsoft", params, user=account.owner)
    with pytest.raises(ConsentExpired):
        consent.complete("microsoft", params, user=account.owner)
    assert is_as_before(account, anna.password)


def test_turning_back_at_the_sign_in_page_is_declining(account: MailAccount, anna: SandboxMailbox) -> None:
    params = anna.sandbox.idp.person(anna.user).cancel(leave_for_consent(account, account.owner))
    with pytest.raises(ConsentDeclined):
        consent.complete("microsoft", params, user=account.owner)


@pytest.mark.parametrize("state", [{}, {"state": ""}, {"state": "made-up"}])
def test_a_wrong_state_is_refused(account: MailAccount, anna: SandboxMailbox, state: dict[str, str]) -> None:
    params = anna.sandbox.idp.person(anna.user).consent(leave_for_consent(account, account.owner))
    with pytest.raises(ConsentExpired):
        consent.complete("microsoft", {"code": params["code"], **state}, user=account.owner)
    assert is_as_before(account, anna.password)


def test_a_callback_works_once(account: MailAccount, anna: SandboxMailbox) -> None:
    params = anna.sandbox.idp.person(anna.user).consent(leave_for_consent(account, account.owner))
    consent.complete("microsoft", params, user=account.owner)
    with pytest.raises(ConsentExpired):
        consent.complete("microsoft", params, user=account.owner)
    assert Grant.objects.count() == 1


def test_of_two_callbacks_at_the_same_moment_one_counts(account: MailAccount, anna: SandboxMailbox) -> None:
    params = anna.sandbox.idp.person(anna.user).consent(leave_for_consent(account, account.owner))
    outcomes, start = [], threading.Barrier(2)

    def come_back() -> None:
        start.wait()
        try:
            consent.complete("microsoft", params, user=account.owner)
            outcomes.append("switched")
        except MailAccountsError as error:
            outcomes.append(error.code)
        connection.close()

    threads = [threading.Thread(target=come_back) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["consent_expired", "switched"]


def test_another_user_can_not_finish_it_and_does_not_use_it_up(account: MailAccount, anna: SandboxMailbox) -> None:
    params = anna.sandbox.idp.person(anna.user).consent(leave_for_consent(account, account.owner))
    with pytest.raises(ConsentExpired):
        consent.complete("microsoft", params, user=make_user())
    assert consent.complete("microsoft", params, user=account.owner)


def test_another_provider_can_not_finish_it(account: MailAccount, anna: SandboxMailbox) -> None:
    params = anna.sandbox.idp.person(anna.user).consent(leave_for_consent(account, account.owner))
    with pytest.raises(ConsentExpired):
        consent.complete("google", params, user=account.owner)


def test_an_attempt_lives_ten_minutes(account: MailAccount, anna: SandboxMailbox) -> None:
    params = anna.sandbox.idp.person(anna.user).consent(leave_for_consent(account, account.owner))
    left = ConsentAttempt.objects.get().expires_at - timezone.now()
    assert timedelta(minutes=9) < left <= timedelta(minutes=10)
    ConsentAttempt.objects.update(expires_at=timezone.now())
    with pytest.raises(ConsentExpired):
        consent.complete("microsoft", params, user=account.owner)


def test_an_answer_sent_by_another_issuer_is_refused(account: MailAccount, anna: SandboxMailbox) -> None:
    params = anna.sandbox.idp.person(anna.user).consent(leave_for_consent(account, account.owner))
    with pytest.raises(IdTokenInvalid):
        consent.complete("microsoft", {**params, "iss": "https://evil.example"}, user=account.owner)
    assert is_as_before(account, anna.password)


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (lambda faults: faults.fail(status=500), ProviderUnavailable),
        (lambda faults: faults.fail(status=400), ProviderUnavailable),  # not even JSON
        (lambda faults: faults.throttle(), ProviderThrottled),
        (lambda faults: faults.refuse("invalid_grant", code=54005), ConsentExpired),
        (lambda faults: faults.refuse("invalid_client", code=7000222, status=401), ClientSecretExpired),
        (lambda faults: faults.refuse("invalid_grant", code=50034), UserUnknownAtProvider),
        (lambda faults: faults.withhold_scopes("SMTP.Send"), ScopeMissing),
        (lambda faults: faults.withhold_scopes("offline_access"), ScopeMissing),
        (lambda faults: faults.falsify_id_tokens(nonce="another"), IdTokenInvalid),
        (lambda faults: faults.falsify_id_tokens(aud="another-client"), IdTokenInvalid),
        (lambda faults: faults.falsify_id_tokens(iss="https://evil.example"), IdTokenInvalid),
        (lambda faults: faults.falsify_id_tokens(exp=1), IdTokenInvalid),
        (lambda faults: faults.skew_clock(3600), IdTokenInvalid),
    ],
)
def test_whatever_goes_wrong_the_account_is_as_before(
    account: MailAccount, anna: SandboxMailbox, fault: Callable[[Any], None], error: type[MailAccountsError]
) -> None:
    fault(anna.sandbox.idp.faults)
    params = anna.sandbox.idp.person(anna.user).consent(leave_for_consent(account, account.owner))
    with pytest.raises(error):
        consent.complete("microsoft", params, user=account.owner)
    anna.sandbox.idp.faults.reset()
    assert is_as_before(account, anna.password)
    assert not ConsentAttempt.objects.exists()


def test_a_clock_that_is_a_little_off_is_forgiven(account: MailAccount, anna: SandboxMailbox) -> None:
    anna.sandbox.idp.faults.skew_clock(60)
    assert switch_by_consent(account, anna)


def test_a_missing_scope_is_named_and_the_grant_given_back(account: MailAccount, anna: SandboxMailbox) -> None:
    anna.sandbox.idp.faults.withhold_scopes("SMTP.Send")
    with pytest.raises(ScopeMissing, match=r"smtp\.send"):
        switch_by_consent(account, anna)
    assert anna.sandbox.idp.faults.revoke(anna.address) == 0


@pytest.mark.parametrize(("shared", "error"), [(False, AnotherAddress), (True, MailboxRefused)])
def test_somebody_elses_sign_in_changes_nothing(
    account: MailAccount,
    anna: SandboxMailbox,
    new_mailbox: Callable[[], SandboxMailbox],
    shared: bool,
    error: type[WrongIdentity],
) -> None:
    """Whoever says that the mailbox is shared still needs the mail server to open it."""
    bert = new_mailbox()
    params = bert.sandbox.idp.person(bert.user).consent(leave_for_consent(account, account.owner, shared=shared))
    with pytest.raises(WrongIdentity) as caught:
        consent.complete("microsoft", params, user=account.owner)
    assert type(caught.value) is error
    assert bert.address in caught.value.message
    assert anna.address in caught.value.message
    assert is_as_before(account, anna.password)
    assert anna.sandbox.idp.faults.revoke(bert.address) == 0, "nothing is left to revoke at the provider"


# --- again -----------------------------------------------------------------------------------------------------


def test_a_person_who_consents_again_replaces_the_grant(account: MailAccount, anna: SandboxMailbox) -> None:
    switch_by_consent(account, anna)
    first = Grant.objects.get()
    anna.sandbox.idp.faults.revoke(anna.address)
    Grant.objects.update(refreshed_at=timezone.now(), expires_at=timezone.now())
    with pytest.raises(GrantRevoked):
        GrantTokens(first.pk).access_token()
    switch_by_consent(account, anna)
    assert Grant.objects.get().pk != first.pk
    assert [each.backend for each in account.credentials.order_by("state")] == ["xoauth2", "password"]
    with open_imap(account):
        pass


def test_an_account_stays_with_the_person_who_consented_first(
    account: MailAccount, anna: SandboxMailbox, new_mailbox: Callable[[], SandboxMailbox]
) -> None:
    switch_by_consent(account, anna)
    bert, before = new_mailbox(), Grant.objects.get()
    with pytest.raises(WrongIdentity) as caught:
        switch_by_consent(account, bert)
    assert type(caught.value) is WrongIdentity
    assert bert.address in caught.value.message
    assert anna.address in caught.value.message
    assert Grant.objects.get() == before
    assert anna.sandbox.idp.faults.revoke(bert.address) == 0
    with open_imap(account):
        pass


def test_a_person_is_known_by_ids_and_not_by_address(account: MailAccount, anna: SandboxMailbox) -> None:
    switch_by_consent(account, anna)
    anna.sandbox.idp.faults.falsify_id_tokens(preferred_username="new-name@sandbox.test")
    switch_by_consent(account, anna)
    assert Grant.objects.get().signed_in_as == "new-name@sandbox.test"
