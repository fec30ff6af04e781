"""Access tokens of a grant: kept while good, renewed by one worker, never lost, never blamed on the wrong party."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from django.db import connection, transaction
from django.utils import timezone

from mailaccounts.errors import (
    ClientLooping,
    ClientMisconfigured,
    GrantRevoked,
    InteractionRequired,
    ProviderThrottled,
    ProviderUnavailable,
    RefreshInProgress,
    Remedy,
    SignInLocked,
    UserUnknownAtProvider,
)
from mailaccounts.models import Grant, GrantStatus, OAuthClient
from mailaccounts.oauth.microsoft import MicrosoftProvider
from mailaccounts.services.signing_in import tokens
from mailaccounts.services.signing_in.tokens import GrantTokens
from tests.app.builders import make_client, make_grant
from tests.sandbox_crm import make_real_grant

if TYPE_CHECKING:
    from pytest_django.fixtures import SettingsWrapper

    from mailaccounts.oauth.types import GrantState, Issued
    from tests.sandbox_fixtures import SandboxMailbox

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def grant(anna: SandboxMailbox) -> Grant:
    return make_real_grant(anna)


def expire(grant: Grant, **left: float) -> None:
    """The stored token was issued an hour ago and has ``left`` to live."""
    now = timezone.now()
    Grant.objects.filter(pk=grant.pk).update(
        refreshed_at=now - timedelta(hours=1), expires_at=now + timedelta(**left or {"seconds": -1})
    )


def end_this_connection() -> None:
    """What a restart of PostgreSQL does to it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        ended = cursor.fetchone()

    def end() -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(%s, 5000)", ended)
        connection.close()

    thread = threading.Thread(target=end)
    thread.start()
    thread.join()


def test_a_good_token_is_used_again(grant: Grant) -> None:
    source = GrantTokens(grant.pk)
    assert source.access_token().value == source.access_token().value == grant.access_token.reveal_text()
    grant.refresh_from_db()
    assert grant.version == 0


@pytest.mark.parametrize("left", [{"minutes": 4}, {"seconds": 0}, {"hours": -1}])
def test_a_token_with_less_than_five_minutes_is_renewed(grant: Grant, left: dict[str, float]) -> None:
    expire(grant, **left)
    assert GrantTokens(grant.pk).access_token().value != grant.access_token.reveal_text()


def test_a_token_that_lives_shorter_is_used_while_it_is_valid(grant: Grant, anna: SandboxMailbox) -> None:
    anna.sandbox.idp.faults.shorten_tokens(60)
    expire(grant)
    first = GrantTokens(grant.pk).access_token()
    assert timezone.now() < first.expires_at < timezone.now() + timedelta(seconds=61)
    assert GrantTokens(grant.pk).access_token().value == first.value


def test_grants_renewed_together_are_not_due_together_again() -> None:
    now = timezone.now()
    client = make_client()
    renewed = [
        make_grant(
            client,
            subject=str(number),
            refreshed_at=now - timedelta(minutes=52),
            expires_at=now + timedelta(minutes=8),
        )
        for number in range(60)
    ]
    due = [grant for grant in renewed if not tokens._is_good(grant)]
    assert 5 < len(due) < 55  # 24 are to be expected


def test_every_rotation_is_saved(grant: Grant) -> None:
    source, seen = GrantTokens(grant.pk), {grant.state.reveal()}
    for version in (1, 2, 3):
        source.access_token(fresh=version > 1) if version > 1 else (expire(grant), source.access_token())
        grant = Grant.objects.get(pk=grant.pk)
        seen.add(grant.state.reveal())
        assert grant.version == version
        assert grant.refresh_until is None
    assert len(seen) == 4


def test_a_rotation_is_saved_before_its_token_is_given_out(grant: Grant) -> None:
    expire(grant)
    token = GrantTokens(grant.pk).access_token()
    assert Grant.objects.get(pk=grant.pk).access_token.reveal_text() == token.value


def test_a_rotation_outlasts_a_database_that_is_gone_for_a_moment(
    grant: Grant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A provider that notices reuse would end the grant with the next refresh from the state of before."""
    original = MicrosoftProvider.refresh

    def then_lose_the_database(self: MicrosoftProvider, state: GrantState) -> Issued:
        issued = original(self, state)
        end_this_connection()
        return issued

    monkeypatch.setattr(MicrosoftProvider, "refresh", then_lose_the_database)
    expire(grant)
    token = GrantTokens(grant.pk).access_token()
    kept = Grant.objects.get(pk=grant.pk)
    assert (kept.access_token.reveal_text(), kept.version, kept.refresh_until) == (token.value, 1, None)


def test_nothing_is_refreshed_inside_a_transaction(grant: Grant) -> None:
    """It could be rolled back, and the provider wouldn't."""
    expire(grant)
    with transaction.atomic(), pytest.raises(RuntimeError):
        GrantTokens(grant.pk).access_token()
    assert Grant.objects.get(pk=grant.pk).refresh_claim == 0
    assert GrantTokens(grant.pk).access_token()


def test_a_refused_token_is_renewed(grant: Grant) -> None:
    source = GrantTokens(grant.pk)
    refused = source.access_token()
    assert source.access_token(fresh=True).value != refused.value


def test_many_refused_logins_cause_one_refresh(grant: Grant) -> None:
    sources = [GrantTokens(grant.pk) for _ in range(5)]
    for source in sources:
        source.access_token()
    assert len({source.access_token(fresh=True).value for source in sources}) == 1
    assert Grant.objects.get(pk=grant.pk).version == 1


def test_of_many_threads_one_refreshes_and_all_get_its_token(grant: Grant) -> None:
    expire(grant)
    start, values = threading.Barrier(6), []

    def work() -> None:
        start.wait()
        values.append(GrantTokens(grant.pk).access_token().value)
        connection.close()

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(values) == 6
    assert len(set(values)) == 1
    assert Grant.objects.get(pk=grant.pk).version == 1


def test_whoever_waits_too_long_is_told_that_a_refresh_is_under_way(
    grant: Grant, monkeypatch: pytest.MonkeyPatch
) -> None:
    expire(grant)
    Grant.objects.filter(pk=grant.pk).update(refresh_claim=1, refresh_until=timezone.now() + timedelta(minutes=1))
    monkeypatch.setattr(tokens, "WAIT_SECONDS", 0.3)
    with pytest.raises(RefreshInProgress):
        GrantTokens(grant.pk).access_token()


def test_a_claim_that_lapsed_is_taken_over(grant: Grant) -> None:
    expire(grant)
    Grant.objects.filter(pk=grant.pk).update(refresh_claim=7, refresh_until=timezone.now() - timedelta(seconds=1))
    assert GrantTokens(grant.pk).access_token()
    assert Grant.objects.get(pk=grant.pk).version == 8


def test_a_late_refresher_never_overwrites_a_newer_rotation(grant: Grant) -> None:
    """The slow one held claim 1 and lost it to claim 2, which has saved."""
    slow = Grant.objects.get(pk=grant.pk)
    provider = tokens.clients.provider_for(slow.client)
    late = provider.refresh(tokens.GrantState(slow.state.reveal()))
    newer = provider.refresh(late.state)
    Grant.objects.filter(pk=grant.pk).update(refresh_claim=2)
    tokens._save(slow, newer, claim=2)
    tokens._save(slow, late, claim=1)
    assert Grant.objects.get(pk=grant.pk).access_token.reveal_text() == newer.token.value


def test_a_late_rotation_is_kept_while_there_is_no_newer_one(grant: Grant) -> None:
    """Claim 2 is under way and may fail; until it saves, what claim 1 brought is the only good state."""
    slow = Grant.objects.get(pk=grant.pk)
    provider = tokens.clients.provider_for(slow.client)
    late = provider.refresh(tokens.GrantState(slow.state.reveal()))
    Grant.objects.filter(pk=grant.pk).update(refresh_claim=2)
    tokens._save(slow, late, claim=1)
    assert Grant.objects.get(pk=grant.pk).access_token.reveal_text() == late.token.value


def test_a_revoked_grant_ends(grant: Grant, anna: SandboxMailbox) -> None:
    expire(grant)
    anna.sandbox.idp.faults.revoke(anna.address)
    for _ in range(2):
        with pytest.raises(GrantRevoked):
            GrantTokens(grant.pk).access_token()
    assert Grant.objects.get(pk=grant.pk).status == GrantStatus.ENDED


def test_a_revocation_the_provider_does_not_repeat_is_not_believed(grant: Grant, anna: SandboxMailbox) -> None:
    expire(grant)
    anna.sandbox.idp.faults.refuse("invalid_grant", times=1)
    assert GrantTokens(grant.pk).access_token()
    assert Grant.objects.get(pk=grant.pk).status == GrantStatus.ACTIVE


@pytest.mark.parametrize("times", [1, -1])
def test_a_user_who_is_gone_has_to_be_so_twice_and_ends_no_grant(
    grant: Grant, anna: SandboxMailbox, times: int
) -> None:
    expire(grant)
    anna.sandbox.idp.faults.refuse("invalid_grant", code=50057, times=times)
    if times == 1:
        assert GrantTokens(grant.pk).access_token()
    else:
        with pytest.raises(UserUnknownAtProvider):
            GrantTokens(grant.pk).access_token()
    assert Grant.objects.get(pk=grant.pk).status == GrantStatus.ACTIVE


def test_a_locked_sign_in_is_waited_for(grant: Grant, anna: SandboxMailbox) -> None:
    expire(grant)
    anna.sandbox.idp.faults.refuse("invalid_grant", code=50053)
    with pytest.raises(SignInLocked) as caught:
        GrantTokens(grant.pk).access_token()
    assert caught.value.remedy is Remedy.WAIT
    assert GrantTokens(grant.pk).access_token()


def test_whoever_asks_in_circles_alarms_the_operator_and_stays_away(grant: Grant, anna: SandboxMailbox) -> None:
    expire(grant)
    anna.sandbox.idp.faults.refuse("invalid_grant", code=50196)
    with pytest.raises(ClientLooping) as caught:
        GrantTokens(grant.pk).access_token()
    assert caught.value.retry_after == 3600
    assert OAuthClient.objects.get().alarm_code == "client_looping"
    assert Grant.objects.get(pk=grant.pk).status == GrantStatus.ACTIVE


def test_a_revocation_of_an_outdated_state_ends_nothing(grant: Grant, anna: SandboxMailbox) -> None:
    stale = Grant.objects.get(pk=grant.pk)
    Grant.objects.filter(pk=grant.pk).update(refresh_claim=1, version=1)
    assert not tokens._end(stale)
    assert Grant.objects.get(pk=grant.pk).status == GrantStatus.ACTIVE


def test_a_sign_in_wanted_by_a_policy_does_not_end_the_grant(grant: Grant, anna: SandboxMailbox) -> None:
    expire(grant)
    anna.sandbox.idp.faults.refuse("interaction_required", code=50076)
    with pytest.raises(InteractionRequired):
        GrantTokens(grant.pk).access_token()
    assert GrantTokens(grant.pk).access_token()


def test_an_outage_changes_nothing_and_passes(grant: Grant, anna: SandboxMailbox) -> None:
    expire(grant)
    anna.sandbox.idp.faults.fail(status=503)
    with pytest.raises(ProviderUnavailable):
        GrantTokens(grant.pk).access_token()
    again = Grant.objects.get(pk=grant.pk)
    assert (again.status, again.version, again.refresh_until) == (GrantStatus.ACTIVE, 0, None)
    assert GrantTokens(grant.pk).access_token()


def test_a_throttled_refresh_says_when_to_come_back(grant: Grant, anna: SandboxMailbox) -> None:
    expire(grant)
    anna.sandbox.idp.faults.throttle(retry_after=42)
    with pytest.raises(ProviderThrottled) as caught:
        GrantTokens(grant.pk).access_token()
    assert caught.value.retry_after == 42
    assert GrantTokens(grant.pk).access_token()


def test_a_wrong_client_secret_alarms_the_operator_and_blames_no_grant(
    grant: Grant, settings: SettingsWrapper
) -> None:
    expire(grant)
    right = settings.MAILACCOUNTS
    microsoft = {**right["CLIENTS"]["microsoft"], "client_secret": "wrong"}
    settings.MAILACCOUNTS = {**right, "CLIENTS": {"microsoft": microsoft}}
    with pytest.raises(ClientMisconfigured):
        GrantTokens(grant.pk).access_token()
    assert Grant.objects.get(pk=grant.pk).status == GrantStatus.ACTIVE
    assert OAuthClient.objects.get().alarm_code == "client_secret_refused"
    settings.MAILACCOUNTS = right
    assert GrantTokens(grant.pk).access_token()
    assert OAuthClient.objects.get().alarm_code == ""
