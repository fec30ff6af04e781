"""App registrations at work: a refused secret gives way to the next one, and trouble of ours is one alarm."""

from __future__ import annotations

import logging
import threading
from datetime import date, timedelta
from typing import TYPE_CHECKING

import pytest
from django.core import mail
from django.db import connection
from django.utils import timezone

from mailaccounts.crypto import Secret
from mailaccounts.errors import ClientMisconfigured, ClientSecretExpired, ClientSecretRefused, ClientUnknown
from mailaccounts.models import AccountStatus, Grant, GrantStatus, OAuthClient
from mailaccounts.oauth.types import GrantState
from mailaccounts.services.registering import registrations
from mailaccounts.services.signing_in.tokens import GrantTokens
from mailaccounts.testing.sandbox.switches import FOREVER
from tests.app.builders import make_account, make_client, make_credential, make_grant, make_user
from tests.sandbox_crm import connect_by_consent, make_real_grant

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_django.fixtures import SettingsWrapper

    from mailaccounts.testing.sandbox import Sandbox
    from tests.sandbox_fixtures import SandboxMailbox

pytestmark = pytest.mark.django_db(transaction=True)

EXPIRED = ClientSecretExpired(provider="Microsoft")


@pytest.fixture
def admins(settings: SettingsWrapper) -> None:
    settings.ADMINS = [("Olga", "olga@crm.test")]


@pytest.fixture
def grants(world: Sandbox, new_mailbox: Callable[[], SandboxMailbox], settings: SettingsWrapper) -> list[Grant]:
    """Two grants of a registration that an administrator keeps in the database, with tokens that are over."""
    made = [make_real_grant(new_mailbox()) for _ in range(2)]
    settings.MAILACCOUNTS = {**settings.MAILACCOUNTS, "CLIENTS": {}}
    hour = timedelta(hours=1)
    Grant.objects.update(refreshed_at=timezone.now() - hour, expires_at=timezone.now() - hour / 60)
    return made


def keep(*, secret: str, following: str | None = None) -> OAuthClient:
    """The registration with these secrets; the right one is what the settings had."""
    client = OAuthClient.objects.get()
    client.client_secret, client.secret_expires_on = Secret(secret), date(2026, 1, 1)
    client.next_secret = None if following is None else Secret(following)
    client.next_secret_expires_on = date(2028, 1, 1)
    client.save()
    return client


def right_secret() -> str:
    return OAuthClient.objects.get().client_secret.reveal_text()


# --- the next secret -------------------------------------------------------------------------------------------


def test_a_refused_secret_gives_way_to_the_next_one_and_is_destroyed(grants: list[Grant]) -> None:
    right = right_secret()
    old = keep(secret="wrong", following=right).client_secret
    assert old.reveal_text() == "wrong"
    assert GrantTokens(grants[0].pk).access_token()
    now = OAuthClient.objects.get()
    assert (now.client_secret.reveal_text(), now.next_secret, now.secret_expires_on) == (right, None, date(2028, 1, 1))
    assert (now.next_secret_expires_on, now.alarm_code) == (None, "")


def test_a_good_secret_stays_in_force_while_the_next_one_waits(grants: list[Grant]) -> None:
    right = right_secret()
    keep(secret=right, following="not yet in the console")
    assert GrantTokens(grants[0].pk).access_token()
    now = OAuthClient.objects.get()
    assert now.next_secret is not None
    assert (now.client_secret.reveal_text(), now.next_secret.reveal_text()) == (right, "not yet in the console")


def test_two_wrong_secrets_are_one_alarm_and_both_are_kept(grants: list[Grant]) -> None:
    keep(secret="wrong", following="wrong too")
    for grant in grants:
        with pytest.raises(ClientSecretRefused):
            GrantTokens(grant.pk).access_token()
    now = OAuthClient.objects.get()
    assert (now.client_secret.reveal_text(), now.alarm_code) == ("wrong", "client_secret_refused")
    assert now.next_secret is not None
    assert not Grant.objects.exclude(status=GrantStatus.ACTIVE).exists()


def test_workers_that_meet_the_refusal_together_promote_once_and_all_get_on(grants: list[Grant]) -> None:
    right = right_secret()
    keep(secret="wrong", following=right)
    start, got = threading.Barrier(len(grants)), []

    def work(grant: Grant) -> None:
        start.wait()
        got.append(GrantTokens(grant.pk).access_token().value)
        connection.close()

    threads = [threading.Thread(target=work, args=[grant]) for grant in grants]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    now = OAuthClient.objects.get()
    assert (len(got), now.client_secret.reveal_text(), now.next_secret, now.alarm_code) == (2, right, None, "")


def test_a_worker_that_read_the_row_before_the_secret_was_replaced_reads_it_again(grants: list[Grant]) -> None:
    right = right_secret()
    stale = keep(secret="wrong")
    keep(secret=right)
    state = GrantState(grants[0].state.reveal())
    assert registrations.ask(stale, lambda provider: provider.refresh(state))
    assert OAuthClient.objects.get().alarm_code == ""


def test_a_consent_goes_through_with_the_next_secret_too(anna: SandboxMailbox, settings: SettingsWrapper) -> None:
    """The code is redeemed with the one that the provider accepts."""
    ours = anna.sandbox.idp.registration
    settings.MAILACCOUNTS = {**settings.MAILACCOUNTS, "CLIENTS": {}}
    made = make_client(
        client_id=ours.client_id,
        client_secret=Secret("wrong"),
        next_secret=Secret(ours.client_secret),
        authority=ours.authority,
        tenant=ours.tenant,
    )
    account = connect_by_consent(anna, make_user())
    grant = account.credentials.get().grant
    assert grant is not None and grant.client == made
    now = OAuthClient.objects.get()
    assert (now.client_secret.reveal_text(), now.next_secret, now.alarm_code) == (ours.client_secret, None, "")


def test_only_one_of_two_promotions_counts() -> None:
    made = make_client(next_secret=Secret("new"))
    first, second = OAuthClient.objects.get(), OAuthClient.objects.get()
    assert [registrations.promote(first), registrations.promote(second)] == [True, False]
    assert OAuthClient.objects.get(pk=made.pk).client_secret.reveal_text() == "new"
    assert second.client_secret.reveal_text() == "new"


def test_a_next_secret_entered_anew_is_not_overwritten_by_a_promotion_of_the_one_before() -> None:
    make_client(next_secret=Secret("mistyped"))
    stale = OAuthClient.objects.get()
    newer = OAuthClient.objects.get()
    newer.next_secret = Secret("right")
    newer.save()
    assert not registrations.promote(stale)
    now = OAuthClient.objects.get()
    assert now.next_secret is not None and now.next_secret.reveal_text() == "right"
    assert now.client_secret.reveal_text() == "client-s3cret"


def test_without_a_next_secret_there_is_nothing_to_promote() -> None:
    assert not registrations.promote(make_client())
    assert OAuthClient.objects.get().client_secret.reveal_text() == "client-s3cret"


def test_while_the_settings_say_what_the_secret_is_no_other_takes_over(settings: SettingsWrapper) -> None:
    named = {"client_id": "the-client", "client_secret": "client-s3cret", "authority": "https://login.example.test/t"}
    make_client(authority=named["authority"], next_secret=Secret("new"))
    settings.MAILACCOUNTS = {**settings.MAILACCOUNTS, "CLIENTS": {"microsoft": named}}
    assert not registrations.promote(OAuthClient.objects.get())
    assert OAuthClient.objects.get().client_secret.reveal_text() == "client-s3cret"


# --- the alarm -------------------------------------------------------------------------------------------------


def test_an_alarm_is_told_once_however_many_accounts_meet_it(admins: None, caplog: pytest.LogCaptureFixture) -> None:
    client = make_client(name="Contoso")
    with caplog.at_level(logging.INFO):
        for _ in range(3):
            registrations.raise_alarm(OAuthClient.objects.get(), EXPIRED)
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert [(each.to, "Contoso" in each.subject) for each in mail.outbox] == [(["olga@crm.test"], True)]
    assert "has expired" in mail.outbox[0].body
    client.refresh_from_db()
    assert client.alarm_code == "client_secret_expired"


def test_an_alarm_whose_cause_changes_is_still_the_same_alarm(admins: None) -> None:
    client = make_client()
    registrations.raise_alarm(client, EXPIRED)
    client.refresh_from_db()
    since = client.alarm_at
    registrations.raise_alarm(client, ClientUnknown(provider="Microsoft"))
    client.refresh_from_db()
    assert (client.alarm_code, client.alarm_at, len(mail.outbox)) == ("client_unknown", since, 1)


def test_an_alarm_after_the_end_of_another_is_told_again(admins: None) -> None:
    client = make_client()
    for _ in range(2):
        registrations.raise_alarm(client, EXPIRED)
        client.refresh_from_db()
        registrations.clear_alarm(client)
    assert len(mail.outbox) == 2
    assert OAuthClient.objects.get().alarm_at is None


def test_who_looks_at_the_trouble_is_not_written_to(admins: None) -> None:
    registrations.raise_alarm(make_client(), EXPIRED, known=True)
    assert mail.outbox == []
    assert OAuthClient.objects.get().alarm_at is not None


def test_a_mail_server_out_of_order_stops_nobody(
    admins: None, settings: SettingsWrapper, caplog: pytest.LogCaptureFixture
) -> None:
    settings.EMAIL_BACKEND, settings.EMAIL_PORT = "django.core.mail.backends.smtp.EmailBackend", 1
    registrations.raise_alarm(make_client(), EXPIRED)
    assert "the ADMINS couldn't be told by mail" in caplog.text


def test_a_success_that_began_before_an_alarm_does_not_end_it() -> None:
    before = make_client()
    registrations.raise_alarm(OAuthClient.objects.get(), EXPIRED)
    registrations.clear_alarm(before)
    assert OAuthClient.objects.get().alarm_code == "client_secret_expired"


def test_the_end_of_an_alarm_makes_the_accounts_that_waited_for_it_due() -> None:
    client = make_client()
    later = timezone.now() + timedelta(minutes=50)
    waiting, elsewhere, blocked = (
        make_account(status=status, next_sync_at=later)
        for status in (AccountStatus.WAITING, AccountStatus.WAITING, AccountStatus.NEEDS_ADMIN)
    )
    for account in (waiting, blocked):
        make_credential(account, backend="xoauth2", grant=make_grant(client))
    make_credential(elsewhere)
    registrations.raise_alarm(client, EXPIRED)
    client.refresh_from_db()
    registrations.clear_alarm(client)
    for account in (waiting, elsewhere, blocked):
        account.refresh_from_db()
    assert waiting.next_sync_at <= timezone.now()
    assert (elsewhere.next_sync_at, blocked.next_sync_at) == (later, later)


@pytest.mark.parametrize("error", [ClientMisconfigured, *ClientMisconfigured.__subclasses__()])
def test_every_trouble_of_a_registration_has_a_cause_and_a_cure_in_words(error: type[ClientMisconfigured]) -> None:
    words = str(registrations.Trouble.of(error(provider="Microsoft")))
    assert words and "{" not in words


def test_the_user_is_told_that_the_account_is_not_to_blame(grants: list[Grant], world: Sandbox) -> None:
    world.idp.faults.refuse("invalid_client", code=7000222, status=401, times=FOREVER)
    with pytest.raises(ClientSecretExpired, match="your account is not to blame"):
        GrantTokens(grants[0].pk).access_token()
