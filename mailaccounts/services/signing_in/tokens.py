"""Access tokens of a grant: one refresher at a time, on however many machines, and no rotation is ever lost.

A refresher claims the grant by a conditional UPDATE, speaks to the provider outside any transaction, and commits the
rotated state before anybody uses its token. Everybody else waits for the result and reads it. Claims are numbered, so
a refresher that overslept its claim can save only while nobody with a later number has.
"""

from __future__ import annotations

import logging
import time
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, cast
from urllib.parse import urlsplit

from django.db import InterfaceError, OperationalError, connection, transaction
from django.db.models import F
from django.utils import timezone

from mailaccounts import tracing
from mailaccounts.crypto import Secret
from mailaccounts.errors import (
    GrantRevoked,
    InteractionRequired,
    ProviderUnavailable,
    RefreshInProgress,
    SignInLocked,
    UserUnknownAtProvider,
)
from mailaccounts.models import Grant, GrantStatus
from mailaccounts.oauth.types import AccessToken, GrantState
from mailaccounts.services.limits import claims
from mailaccounts.services.limits.breaker import guard
from mailaccounts.services.registering import clients, registrations
from mailaccounts.services.registering.tenant_state import insist_on
from mailaccounts.services.signing_in.give_back import goes_on

if TYPE_CHECKING:
    import uuid

    from mailaccounts.fields import SealedField
    from mailaccounts.oauth.provider import TokenProvider
    from mailaccounts.oauth.types import Issued

logger = logging.getLogger(__name__)

CLAIM_SECONDS = 90  # longer than the transport lets discovery, a refresh and its repetition take together
SAVE_SECONDS = 15.0  # that a database which is restarting, or locked, is tried for: the provider can't be asked again
WAIT_SECONDS = 25.0
POLL_SECONDS = 0.1
SPARE = timedelta(minutes=5)  # a token with less left is renewed before it is used, and some up to as long before


class GrantTokens:
    """The token source of one grant. Remembers which rotation it gave out last, so that a refused token is renewed
    only if nobody else has done it."""

    def __init__(self, grant_id: uuid.UUID) -> None:
        self._grant_id = grant_id
        self._given: int | None = None

    def access_token(self, *, fresh: bool = False) -> AccessToken:
        """A token that is valid now; ``fresh``: not the one given before.

        GrantRevoked when the grant has ended, OrganisationOff while it is an organisation's whose access isn't in
        force, RefreshInProgress when another worker renews it for too long, ServerDown
        while nobody but one at a time asks a provider that is out of order, and what the provider raises.
        """
        deadline = time.monotonic() + WAIT_SECONDS
        while True:
            grant = _read(self._grant_id)
            label = clients.label(grant.client.provider)
            if grant.app_only:
                insist_on(grant.client, grant.tenant)
            refused = fresh and self._given in {None, grant.version}
            if not refused and _is_good(grant):
                return self._give(grant)
            claim = _claim(grant)
            if claim is not None:
                return self._give(_renew(grant, claim=claim))
            if time.monotonic() > deadline:
                raise RefreshInProgress(provider=label)
            if self._given is None:
                self._given = grant.version  # whoever holds the claim brings a newer one, and that will do
            time.sleep(POLL_SECONDS)

    def _give(self, grant: Grant) -> AccessToken:
        self._given = grant.version
        return AccessToken(value=grant.access_token.reveal_text(), expires_at=grant.expires_at)


class IssuedTokens:
    """The token source of a grant that isn't stored yet: it is being proven."""

    def __init__(self, token: AccessToken) -> None:
        self._token = token

    def access_token(self, *, fresh: bool = False) -> AccessToken:
        return self._token


def _read(grant_id: uuid.UUID) -> Grant:
    """The grant as it stands now; GrantRevoked when it has ended, or its account was disconnected meanwhile."""
    try:
        grant = Grant.objects.select_related("client").get(pk=grant_id)
    except Grant.DoesNotExist:
        raise GrantRevoked(provider="your provider") from None
    if grant.status == GrantStatus.ENDED:
        raise GrantRevoked(provider=clients.label(grant.client.provider))
    return grant


def _is_good(grant: Grant) -> bool:
    """Whether the stored token needn't be renewed yet: up to a quarter of its life, but not more than five to ten
    minutes, are spared.

    Grants that were renewed together, after an outage say, are due at times of their own. Everybody has to agree on
    when, or a refresher would find that another still thinks the token good.
    """
    lifetime = grant.expires_at - (grant.refreshed_at or grant.created_at)
    share = (grant.pk.int + grant.version * 7919) % 1000 / 1000
    return grant.expires_at - min(SPARE * (1 + share), lifetime / 4) > timezone.now()


def _claim(grant: Grant) -> int | None:
    """Claims the right to refresh; None when another worker has it. Durable, so that nobody gets as far as the
    provider inside a transaction, where neither the claim nor the rotation would be seen by others."""
    with transaction.atomic(durable=True):
        won = Grant.objects.filter(
            claims.free("refresh_until"),
            pk=grant.pk,
            refresh_claim=grant.refresh_claim,
            version=grant.version,
            status=GrantStatus.ACTIVE,
        ).update(refresh_claim=F("refresh_claim") + 1, refresh_until=claims.lasting(CLAIM_SECONDS))
    return grant.refresh_claim + 1 if won else None


def _renew(grant: Grant, *, claim: int) -> Grant:
    """Refreshes under ``claim`` and returns the grant as it then stands in the database."""
    provider = clients.label(grant.client.provider)
    try:
        with (
            tracing.span("mailaccounts.refresh", provider=grant.client.provider),
            guard(_endpoint(grant), host=provider, outages=(ProviderUnavailable,), answers=(SignInLocked,)),
        ):
            registrations.ask(grant.client, partial(_rotate, grant, claim))
    except InteractionRequired:
        raise  # a policy may let the same grant pass again later
    except GrantRevoked:
        if _end(grant):
            raise  # else refused was a state that is history
    finally:
        Grant.objects.filter(pk=grant.pk, refresh_claim=claim).update(refresh_until=None)
    return _read(grant.pk)


def _endpoint(grant: Grant) -> str:
    """Where the provider is, for all registrations with it."""
    return f"tokens:{urlsplit(grant.client.authority).netloc}"


def _rotate(grant: Grant, claim: int, provider: TokenProvider) -> None:
    """Refreshes, and saves what came of it before anything else is done."""
    _save(grant, _refresh(grant, provider), claim=claim)


def _refresh(grant: Grant, provider: TokenProvider) -> Issued:
    """One refresh; what the owner would have to mend is confirmed by a second one, since providers err for a moment
    too."""
    state = GrantState(grant.state.reveal())
    try:
        return provider.refresh(state)
    except InteractionRequired:
        raise
    except (GrantRevoked, UserUnknownAtProvider):
        return provider.refresh(state)


def _save(grant: Grant, issued: Issued, *, claim: int) -> None:
    """Commits a rotation, unless one of a later claim is stored already; again and again while the database is out
    of reach. One of a grant that has been let go of meanwhile is given back instead."""
    ends = time.monotonic() + SAVE_SECONDS
    while True:
        try:
            saved = _commit(grant, issued, claim=claim)
            break
        except (OperationalError, InterfaceError) as error:
            logger.warning("grant %s: a rotation couldn't be saved: %s", grant.pk, type(error).__name__)
            if time.monotonic() > ends:
                raise
            connection.close_if_unusable_or_obsolete()
            time.sleep(POLL_SECONDS)
    if not saved:
        logger.warning("grant %s: a rotation came too late and is dropped", grant.pk)
        alive = Grant.objects.filter(pk=grant.pk, status=GrantStatus.ACTIVE).exists()
        if not (alive or goes_on(grant)):
            registrations.revoke_if_possible(grant.client, issued.state)


def _commit(grant: Grant, issued: Issued, *, claim: int) -> bool:
    """Durable: no caller's transaction can undo it, for the provider won't."""
    with transaction.atomic(durable=True):
        updated = Grant.objects.filter(pk=grant.pk, version__lt=claim, status=GrantStatus.ACTIVE).update(
            **_sealed(grant, issued),
            expires_at=issued.token.expires_at,
            refreshed_at=timezone.now(),
            version=claim,
        )
    return bool(updated)


def _sealed(grant: Grant, issued: Issued) -> dict[str, str]:
    plain = {"state": Secret(bytes(issued.state)), "access_token": Secret(issued.token.value)}
    return {name: cast("SealedField", Grant._meta.get_field(name)).seal(grant, value) for name, value in plain.items()}


def _end(grant: Grant) -> bool:
    """Notes that the provider ended the grant, if the state it refused is still the one we hold."""
    ended = Grant.objects.filter(pk=grant.pk, version=grant.version).update(status=GrantStatus.ENDED)
    return bool(ended)
