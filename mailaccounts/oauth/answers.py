"""Reading what a token endpoint answers (RFC 6749 §5.1), and keeping of it what the next refresh needs."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from mailaccounts.errors import ProviderUnavailable, ScopeMissing
from mailaccounts.oauth.scopes import OFFLINE
from mailaccounts.oauth.types import AccessToken, GrantState

if TYPE_CHECKING:
    from collections.abc import Mapping

LONGEST_LIFE = 7 * 86_400  # seconds; Entra's access tokens live for 28 hours at most
USUAL_LIFE = 3_600  # where the answer doesn't say


def read_token(answer: Mapping[str, Any], *, label: str) -> AccessToken:
    """The access token; ProviderUnavailable for one that can't be used."""
    value = answer.get("access_token")
    try:
        lifetime = timedelta(seconds=max(0, min(int(answer.get("expires_in", USUAL_LIFE)), LONGEST_LIFE)))
    except (TypeError, ValueError, OverflowError):
        raise ProviderUnavailable(provider=label) from None
    if not (value and _is_visible(value)):
        raise ProviderUnavailable(provider=label)
    return AccessToken(value=value, expires_at=datetime.now(UTC) + lifetime)


def read_grant(
    answer: Mapping[str, Any], *, asked: list[str], earlier: str = "", label: str
) -> tuple[GrantState, frozenset[str]]:
    """The state to keep and the scopes granted: an absent scope means that all were, an absent refresh token that the
    ``earlier`` one goes on. ScopeMissing without either."""
    refresh_token, scope = answer.get("refresh_token") or earlier, answer.get("scope") or " ".join(asked)
    if not (_is_visible(refresh_token or "") and _is_visible(scope)):
        raise ProviderUnavailable(provider=label)
    if not refresh_token:
        raise ScopeMissing(provider=label, scopes=OFFLINE)
    state = pack(refresh_token=refresh_token, scopes=list(asked))
    return state, frozenset(scope.split()) | {OFFLINE}  # Entra doesn't list it; the token is the proof


def pack(**content: object) -> GrantState:
    return GrantState(json.dumps(content).encode())


def unpack(state: GrantState) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(state)
    return content


def _is_visible(text: object) -> bool:
    """Whether ``text`` has only the characters of tokens and scopes, VSCHAR (RFC 6749, appendix A)."""
    return isinstance(text, str) and text.isascii() and text.isprintable()
