"""Grants that nobody uses any more go back to the provider: told when it can be, for a day, and destroyed for sure."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.db import connection, transaction
from django.utils import timezone

from mailaccounts import tasks
from mailaccounts.crypto import Secret
from mailaccounts.errors import GrantRevoked, WrongIdentity
from mailaccounts.models import Credential, Grant, GrantStatus, MailAccount, OAuthClient
from mailaccounts.oauth.discovery import Metadata
from mailaccounts.oauth.microsoft import MicrosoftProvider
from mailaccounts.selectors import receipts
from mailaccounts.services.connecting.disconnect import disconnect
from mailaccounts.services.connecting.receipt import Permission, Receipt
from mailaccounts.services.registering import clients
from mailaccounts.services.signing_in.give_back import PATIENCE, Outcome, give_back, let_go
from mailaccounts.services.signing_in.tokens import GrantTokens
from tests.app.builders import make_account, make_credential, make_grant, make_user
from tests.rewriting import rewriting
from tests.sandbox_crm import connect_by_consent, make_real_grant, switch_by_consent

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_django.fixtures import SettingsWrapper

    from mailaccounts.testing.sandbox import Sandbox
    from mailaccounts.testing.sandbox.switches import Faults
    from tests.sandbox_fixtures import SandboxMailbox

pytestmark = pytest.mark.django_db(transaction=True)

DOWN = -1  # until somebody repairs it


@pytest.fixture
def account(anna: SandboxMailbox) -> MailAccount:
    """An account that signs in with a grant the provider knows."""
    account = make_account(address=anna.address)
    make_credential(account, grant=make_real_grant(anna), backend="xoauth2")
    return account


@pytest.fixture
def faults(anna: SandboxMailbox) -> Faults:
    return anna.sandbox.idp.faults


def permission() -> Permission:
    """What the one receipt there is says of the one permission."""
    (found,) = Receipt.of(receipts().get()).permissions
    return found


def is_alive(anna: SandboxMailbox) -> bool:
    """Whether the provider still honours a refresh token of Anna's; afterwards it doesn't."""
    return anna.sandbox.idp.faults.revoke(anna.address) > 0


def later(**ago: float) -> None:
    """Time passes: the disconnecting was so long ago, and whatever waits has its turn."""
    let_go_at = timezone.now() - timedelta(**ago)
    Grant.objects.update(expires_at=let_go_at + PATIENCE, refresh_until=timezone.now())
    with rewriting():
        receipts().update(at=let_go_at)


def test_a_provider_that_is_down_is_told_once_it_is_back(
    account: MailAccount, anna: SandboxMailbox, faults: Faults
) -> None:
    faults.fail(endpoint="revoke", times=DOWN)
    disconnect(account, erase_mail=False, actor=account.owner)
    assert not Credential.objects.exists()
    assert permission().outcome == "pending"
    tasks.tick()
    assert permission().outcome == "pending", "not within minutes"
    faults.reset()
    later(minutes=6)
    tasks.tick()
    assert permission().outcome == "revoked"
    assert not Grant.objects.exists()
    assert not is_alive(anna)


def test_waiting_for_the_provider_only_what_it_wants_to_see_is_kept(account: MailAccount, faults: Faults) -> None:
    faults.fail(endpoint="revoke")
    disconnect(account, erase_mail=False, actor=account.owner)
    rest = Grant.objects.get()
    assert rest.access_token.reveal() == b""
    assert rest.status == GrantStatus.ENDED
    with pytest.raises(GrantRevoked):
        GrantTokens(rest.pk).access_token()


def test_the_pauses_grow_and_a_day_is_enough(account: MailAccount, faults: Faults) -> None:
    faults.fail(endpoint="revoke", times=DOWN)
    disconnect(account, erase_mail=True, actor=account.owner)
    for hours, pause in ((0.2, 0.2), (3, 3), (12, 12)):
        later(hours=hours)
        tasks.give_back()
        until = Grant.objects.get().refresh_until
        assert until is not None
        assert (until - timezone.now()).total_seconds() / 3600 == pytest.approx(pause, rel=0.05)
    later(hours=24.1)
    tasks.give_back()
    assert not Grant.objects.exists()
    told = permission()
    assert (told.outcome, told.until) == ("given_up", None)
    assert "couldn't be told" in told.words


def test_a_provider_that_can_not_be_told_is_named_with_the_place_to_do_it_by_hand(
    account: MailAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Microsoft has no endpoint for it, unlike the sandbox."""
    original = MicrosoftProvider._metadata

    def without(self: MicrosoftProvider) -> Metadata:
        found = original(self)
        return Metadata(
            issuer=found.issuer,
            authorization_endpoint=found.authorization_endpoint,
            token_endpoint=found.token_endpoint,
            jwks_uri=found.jwks_uri,
        )

    monkeypatch.setattr(MicrosoftProvider, "_metadata", without)
    MailAccount.objects.update(imap_host="outlook.office365.com", address="anna@company.example")
    disconnect(account, erase_mail=False, actor=account.owner)
    told = permission()
    assert told.outcome == "untellable"
    assert told.by_hand == "https://myapps.microsoft.com"
    assert not Grant.objects.exists()


def test_a_grant_the_provider_had_ended_is_nothing_to_tell(account: MailAccount, anna: SandboxMailbox) -> None:
    grant = Grant.objects.get()
    Grant.objects.update(expires_at=timezone.now(), refreshed_at=timezone.now())
    assert is_alive(anna)
    with pytest.raises(GrantRevoked):
        GrantTokens(grant.pk).access_token()
    disconnect(account, erase_mail=False, actor=account.owner)
    assert permission().outcome == "ended"
    assert not Grant.objects.exists()


def test_another_consent_of_the_same_person_is_not_ended_with_it(account: MailAccount, anna: SandboxMailbox) -> None:
    """Google ends all that a person allowed us, whichever token is revoked: a colleague reads the same mailbox."""
    colleague = make_credential(make_account(address=anna.address), grant=make_real_grant(anna), backend="xoauth2")
    disconnect(account, erase_mail=True, actor=account.owner)
    assert permission().outcome == "in_use"
    assert Grant.objects.get() == colleague.grant
    assert GrantTokens(colleague.grant_id).access_token(fresh=True)


def test_the_last_rotation_is_what_goes_back(account: MailAccount, anna: SandboxMailbox) -> None:
    GrantTokens(Grant.objects.get().pk).access_token(fresh=True)
    disconnect(account, erase_mail=False, actor=account.owner)
    assert not is_alive(anna)


def test_a_refresh_under_way_gives_its_rotation_back_itself(
    account: MailAccount, anna: SandboxMailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It comes back from the provider with a new token after the account was disconnected."""
    grant, original = Grant.objects.get(), MicrosoftProvider.refresh

    def meanwhile(self: MicrosoftProvider, state: Any) -> Any:
        issued = original(self, state)
        disconnect(account, erase_mail=False, actor=account.owner)
        return issued

    monkeypatch.setattr(MicrosoftProvider, "refresh", meanwhile)
    with pytest.raises(GrantRevoked):
        GrantTokens(grant.pk).access_token(fresh=True)
    assert not Grant.objects.exists()
    assert not is_alive(anna)


def test_a_rotation_that_finds_the_grant_waiting_does_not_revive_it(
    account: MailAccount, anna: SandboxMailbox, faults: Faults, monkeypatch: pytest.MonkeyPatch
) -> None:
    grant, original = Grant.objects.get(), MicrosoftProvider.refresh

    def meanwhile(self: MicrosoftProvider, state: Any) -> Any:
        issued = original(self, state)
        faults.fail(endpoint="revoke", times=1)
        disconnect(account, erase_mail=False, actor=account.owner)
        return issued

    monkeypatch.setattr(MicrosoftProvider, "refresh", meanwhile)
    with pytest.raises(GrantRevoked):
        GrantTokens(grant.pk).access_token(fresh=True)
    rest = Grant.objects.get()
    assert (rest.status, rest.access_token.reveal()) == (GrantStatus.ENDED, b"")
    later(minutes=6)
    tasks.give_back()
    assert not Grant.objects.exists()
    assert not is_alive(anna)


def test_of_many_workers_one_tells_the_provider(
    account: MailAccount, anna: SandboxMailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    grant_id = Grant.objects.get().pk
    Credential.objects.all().delete()
    with transaction.atomic():
        let_go(grant_id)
    told, original, start = [], MicrosoftProvider.revoke, threading.Barrier(4)

    def revoke(self: MicrosoftProvider, state: Any) -> bool:
        told.append(1)
        return original(self, state)

    monkeypatch.setattr(MicrosoftProvider, "revoke", revoke)

    def work() -> None:
        start.wait()
        give_back(grant_id)
        connection.close()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(told) == 1
    assert not Grant.objects.exists()


def test_what_others_leave_behind_is_given_back_too(account: MailAccount, anna: SandboxMailbox) -> None:
    """Rows deleted behind our back: the account is gone, and its grant is still good at the provider."""
    Credential.objects.all().delete()
    MailAccount.objects.all().delete()
    tasks.tick()
    assert Grant.objects.get().status == GrantStatus.ACTIVE, "somebody may be about to use it"
    Grant.objects.update(created_at=timezone.now() - timedelta(hours=2))
    tasks.tick()
    assert not Grant.objects.exists()
    assert not is_alive(anna)


def test_an_organisations_grant_waits_for_its_first_mailbox() -> None:
    grant = make_grant(app_only=True)
    Grant.objects.update(created_at=timezone.now() - timedelta(days=2))
    tasks.tick()
    assert Grant.objects.get() == grant


def test_a_sign_in_that_is_replaced_goes_back_as_well(anna: SandboxMailbox) -> None:
    sandbox = anna.sandbox
    account = make_account(
        address=anna.address, imap_host=sandbox.imap.host, imap_port=sandbox.imap.port, smtp_host=""
    )
    make_credential(account, anna.password)
    switch_by_consent(account, anna)
    first = Grant.objects.get().pk
    switch_by_consent(account, anna)
    assert Grant.objects.get().pk != first
    assert GrantTokens(Grant.objects.get().pk).access_token(fresh=True)


def test_nothing_is_told_inside_a_transaction(account: MailAccount) -> None:
    with transaction.atomic(), pytest.raises(RuntimeError):
        give_back(Grant.objects.get().pk)


def test_the_outcomes_have_words() -> None:
    from mailaccounts.services.connecting.receipt import WORDS

    assert set(WORDS) == set(Outcome)


# --- by which secret -------------------------------------------------------------------------------------------


@pytest.fixture
def secrets_in_the_admin(every_provider: Sandbox, settings: SettingsWrapper) -> Callable[[Grant], None]:
    """What happens between a consent and its end: the secret expires, and the next one waits in the admin."""

    def change(grant: Grant) -> None:
        good = clients.secret_in_force(grant.client)
        settings.MAILACCOUNTS = {**settings.MAILACCOUNTS, "CLIENTS": {}}
        client = OAuthClient.objects.get(pk=grant.client_id)
        client.client_secret, client.next_secret, client.in_settings = Secret("expired"), good, False
        client.save()

    return change


def test_the_next_secret_gives_back_what_the_last_one_got(
    secrets_in_the_admin: Callable[[Grant], None], new_mailbox: Callable[..., SandboxMailbox]
) -> None:
    person = new_mailbox(domain="oidc.test")
    account = connect_by_consent(person, make_user())
    secrets_in_the_admin(Grant.objects.get())
    disconnect(account, erase_mail=False, actor=account.owner)
    assert permission().outcome == "revoked"
    assert not is_alive(person)


def test_what_the_wrong_person_granted_is_given_back_by_the_secret_that_got_it(
    secrets_in_the_admin: Callable[[Grant], None], new_mailbox: Callable[..., SandboxMailbox]
) -> None:
    person, another = new_mailbox(domain="oidc.test"), new_mailbox(domain="oidc.test")
    account = connect_by_consent(person, make_user())
    secrets_in_the_admin(Grant.objects.get())
    with pytest.raises(WrongIdentity):
        switch_by_consent(account, another)
    assert not is_alive(another)


def test_that_a_provider_takes_a_grant_back_ends_no_alarm(account: MailAccount) -> None:
    """Google wants no secret to be shown for it, and Microsoft isn't even asked."""
    OAuthClient.objects.update(alarm_code="client_secret_expired", alarm_at=timezone.now())
    disconnect(account, erase_mail=False, actor=account.owner)
    assert permission().outcome == "revoked"
    assert OAuthClient.objects.get().alarm_code
