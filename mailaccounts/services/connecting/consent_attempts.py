"""Consents under way: each belongs to one signed-in user, lives ten minutes and is used once (RFC 9700 §2.1)."""

from __future__ import annotations

import hashlib
import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.utils import timezone

from mailaccounts.crypto import Secret
from mailaccounts.errors import ConsentExpired
from mailaccounts.models import ConsentAttempt

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mailaccounts.models import MailAccount, OAuthClient
    from mailaccounts.oauth.types import Flow

LIFETIME = timedelta(minutes=10)


def remember(
    *,
    user: Any,
    client: OAuthClient,
    backend: str,
    state: str,
    flow: Flow,
    wish: Mapping[str, Any],
    account: MailAccount | None = None,
) -> None:
    """Keeps what the answer will be judged by, sealed; attempts that nobody came back to are dropped."""
    now = timezone.now()
    ConsentAttempt.objects.filter(expires_at__lte=now).delete()
    ConsentAttempt.objects.create(
        user=user,
        account=account,
        client=client,
        backend=backend,
        wish=wish,
        state_hash=_hash(state),
        flow=Secret(json.dumps(flow)),
        expires_at=now + LIFETIME,
    )


def take(state: str, *, user: Any, provider: str, backend: str | None) -> tuple[ConsentAttempt, dict[str, Any]]:
    """The attempt and its flow, deleted: of two requests with the same state only one gets it. ConsentExpired unless
    the same user began it for this backend with the same provider, within ten minutes."""
    try:
        attempt = ConsentAttempt.objects.select_related("account__owner", "client").get(
            state_hash=_hash(state),
            user=user,
            client__provider=provider,
            backend=backend,
            expires_at__gt=timezone.now(),
        )
    except ConsentAttempt.DoesNotExist:
        raise ConsentExpired from None
    flow = json.loads(attempt.flow.reveal())
    deleted, _ = ConsentAttempt.objects.filter(pk=attempt.pk).delete()
    if not deleted:
        raise ConsentExpired
    return attempt, flow


def is_somebody_elses(state: str, *, user: Any) -> bool:
    """Whether another user than this one is awaited with ``state``."""
    return ConsentAttempt.objects.filter(state_hash=_hash(state)).exclude(user=user).exists()


def _hash(state: str) -> str:
    return hashlib.sha256(state.encode()).hexdigest()
