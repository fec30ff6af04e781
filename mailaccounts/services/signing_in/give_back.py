"""Gives back to the provider what nobody here uses any more, and then destroys the rest of it.

A grant is let go of in the transaction that takes its last credential away: it has ended, and its access token is
destroyed. Its state alone is kept, sealed, until the provider was told with it. Whoever is lost on the way, the tick
goes on; a provider that can't be told within a day isn't, and then the state is destroyed all the same.
"""

from __future__ import annotations

import logging
import time
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from mailaccounts.crypto import Secret
from mailaccounts.errors import GrantRevoked, MailAccountsError, VaultError
from mailaccounts.models import Grant, GrantStatus
from mailaccounts.oauth.types import GrantState
from mailaccounts.selectors import receipts
from mailaccounts.services.limits import claims
from mailaccounts.services.registering import registrations
from mailaccounts.services.trail import audit

if TYPE_CHECKING:
    import uuid

    from django.db.models import QuerySet

logger = logging.getLogger(__name__)

PATIENCE = timedelta(days=1)  # that a provider may be out of reach
FIRST_PAUSE = timedelta(minutes=5)  # then as long as it has been already: some nine tries in a day
CLAIM_SECONDS = 90  # longer than the transport lets discovery and a revocation take together
FORGOTTEN = timedelta(hours=1)  # after which an active grant without a credential is nobody's
BUDGET_SECONDS = 60  # of one tick
UNCLAIMED = claims.free("refresh_until")


class Outcome(StrEnum):
    """What became of a grant whose credential was destroyed."""

    REVOKED = "revoked"  # the provider was told
    UNTELLABLE = "untellable"  # it has no way of being told
    ENDED = "ended"  # it had ended the grant itself
    IN_USE = "in_use"  # another mailbox goes on with the same person's consent
    ORGANISATION = "organisation"  # an administrator gave it, and only they can end it
    PENDING = "pending"  # it is going to be told
    GIVEN_UP = "given_up"  # it couldn't be told


def let_go(grant_id: uuid.UUID) -> Outcome:
    """Ends a grant unless a credential has it; PENDING when the provider is now to be told.

    Inside a transaction. The row is locked: what is given back is the last state that a refresh has saved, and one
    that comes later gives its own back.
    """
    grant = Grant.objects.select_for_update(of=("self",)).filter(pk=grant_id).first()
    if grant is None:
        return Outcome.ENDED
    if grant.credentials.exists():
        return Outcome.IN_USE
    if grant.app_only or grant.status != GrantStatus.ACTIVE:
        grant.delete()
        return Outcome.ORGANISATION if grant.app_only else Outcome.ENDED
    grant.status, grant.access_token = GrantStatus.ENDED, Secret(b"")
    grant.expires_at, grant.refresh_until = timezone.now() + PATIENCE, None
    grant.save(update_fields=["status", "access_token", "expires_at", "refresh_until"])
    return Outcome.PENDING


def give_back(grant_id: uuid.UUID) -> Outcome:
    """Tells the provider and destroys the grant; PENDING when it is out of reach, or somebody else is telling it.

    Never inside a transaction: the provider is asked.
    """
    grant = _claim(grant_id)
    if grant is None:
        return Outcome.PENDING
    outcome = _tell(grant)
    now = timezone.now()
    if outcome is Outcome.PENDING and now < grant.expires_at:
        pause = max(FIRST_PAUSE, now - (grant.expires_at - PATIENCE))
        Grant.objects.filter(pk=grant.pk).update(refresh_until=now + pause)
        return outcome
    if outcome is Outcome.PENDING:
        outcome = Outcome.GIVEN_UP
    _conclude(grant, outcome)
    return outcome


def give_back_due() -> int:
    """Gives back every grant whose turn it is, for a minute; how many are done with."""
    _adopt_forgotten()
    started, done = time.monotonic(), 0
    for grant_id in list(_unused(GrantStatus.ENDED).filter(UNCLAIMED).values_list("pk", flat=True)):
        done += give_back(grant_id) is not Outcome.PENDING
        if time.monotonic() - started > BUDGET_SECONDS:
            break
    return done


def _unused(status: GrantStatus) -> QuerySet[Grant]:
    """Grants that no credential has. One given by an administrator may wait for its first."""
    return Grant.objects.filter(credentials__isnull=True, app_only=False, status=status)


def _adopt_forgotten() -> None:
    """Whatever else takes accounts out of the database leaves their grants behind."""
    forgotten = _unused(GrantStatus.ACTIVE).filter(created_at__lt=timezone.now() - FORGOTTEN)
    for grant_id in list(forgotten.values_list("pk", flat=True)):
        with transaction.atomic():
            let_go(grant_id)


def _claim(grant_id: uuid.UUID) -> Grant | None:
    """The grant, for whoever comes first. Its number keeps a refresher that overslept from freeing the claim."""
    with transaction.atomic(durable=True):
        won = Grant.objects.filter(UNCLAIMED, pk=grant_id, status=GrantStatus.ENDED).update(
            refresh_claim=F("refresh_claim") + 1, refresh_until=claims.lasting(CLAIM_SECONDS)
        )
    return Grant.objects.select_related("client").filter(pk=grant_id).first() if won else None


def _tell(grant: Grant) -> Outcome:
    if goes_on(grant):
        return Outcome.IN_USE
    try:
        told = registrations.revoke(grant.client, GrantState(grant.state.reveal()))
    except GrantRevoked:
        return Outcome.ENDED
    except MailAccountsError as error:
        logger.warning("grant %s couldn't be given back: %s", grant.pk, error.code)
        return Outcome.GIVEN_UP if isinstance(error, VaultError) else Outcome.PENDING
    return Outcome.REVOKED if told else Outcome.UNTELLABLE


def goes_on(grant: Grant) -> bool:
    """Whether the same person's consent is in use, by this or another account: Google ends all that a person allowed
    us, whichever of its tokens is given back."""
    same = Grant.objects.filter(client=grant.client, issuer=grant.issuer, subject=grant.subject, app_only=False)
    return same.filter(status=GrantStatus.ACTIVE, credentials__isnull=False).exists()


def _conclude(grant: Grant, outcome: Outcome) -> None:
    """Destroys what is left of the grant, and notes with the receipt what came of it, if there is one."""
    since = grant.expires_at - PATIENCE - timedelta(minutes=1)  # it was let go of in the receipt's transaction
    receipt = receipts().filter(at__gte=since, facts__grants__has_key=str(grant.pk)).first()
    with transaction.atomic():
        deleted, _ = Grant.objects.filter(pk=grant.pk).delete()
        if deleted and receipt:
            audit.follow_up(receipt, grant=str(grant.pk), outcome=outcome)
    logger.info("grant %s: %s", grant.pk, outcome)
