"""The control API: the switches of faults.py over HTTP, for whoever holds the control token."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.http import HttpResponse, JsonResponse
from django.utils import timezone
from django.utils.crypto import constant_time_compare
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST
from oauth2_provider.models import AccessToken, Grant, RefreshToken

from mailaccounts.testing.sandbox.idp.faults import Answer, faults
from mailaccounts.testing.sandbox.idp.task import published

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http import HttpRequest


@csrf_exempt
@require_POST
def control(request: HttpRequest, action: str) -> HttpResponse:
    """``POST /control/<action>`` with JSON arguments and ``Authorization: Bearer <control token>``."""
    if not constant_time_compare(request.headers.get("Authorization", ""), f"Bearer {published().control_token}"):
        return JsonResponse({"error": "unauthorized"}, status=401)
    if action not in ACTIONS:
        return JsonResponse({"error": "unknown action"}, status=404)
    result = ACTIONS[action](**json.loads(request.body or "{}"))
    return JsonResponse({"result": result})


def prepare(**answer: Any) -> None:
    faults.prepare(Answer(**answer))


def adjust(**values: Any) -> None:
    """Sets clock_skew, token_lifetime, claims, withheld, consented, delegated or response_issuer."""
    for name, value in values.items():
        setattr(faults, name, set(value) if isinstance(value, list) else value)


def expire(address: str = "") -> int:
    """Access tokens end now, refresh tokens live on; how many."""
    tokens = AccessToken.objects.filter(**_of(address))
    return int(tokens.update(expires=timezone.now() - timedelta(seconds=1)))


def revoke(address: str = "") -> int:
    """Ends every grant: codes, access and refresh tokens; how many refresh tokens."""
    Grant.objects.filter(**_of(address)).delete()
    count = RefreshToken.objects.filter(revoked__isnull=True, **_of(address)).update(revoked=timezone.now())
    AccessToken.objects.filter(**_of(address)).delete()
    return int(count)


def _of(address: str) -> dict[str, str]:
    return {"user__username": address.lower()} if address else {}


ACTIONS: dict[str, Callable[..., int | None]] = {
    "prepare": prepare,
    "adjust": adjust,
    "expire": expire,
    "revoke": revoke,
    "reset": faults.reset,
}
