"""The fault switches of the identity provider, from the outside."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import requests

FOREVER = -1
"""For ``times``: until ``reset``."""


class Faults:
    """Each method switches something on; ``reset`` puts all of it back (grants that are gone stay gone).

    ``endpoint`` is one of discovery, keys, authorize, signin, token, userinfo, introspect, revoke, or "*", at
    whichever provider is asked next.
    """

    def __init__(self, session: requests.Session, *, url: str, token: str) -> None:
        self._session = session
        self._url = url
        self._token = token

    def reset(self) -> None:
        self._post("reset")

    def expire_access_tokens(self, address: str = "") -> int:
        """Ends the access tokens of a user, or all, now; refresh tokens live on. How many."""
        return int(self._post("expire", address=address))

    def revoke(self, address: str = "") -> int:
        """Ends every grant of a user, or all: access and refresh tokens. How many refresh tokens."""
        return int(self._post("revoke", address=address))

    def refuse(
        self,
        error: str = "invalid_grant",
        *,
        code: int = 70008,
        suberror: str = "",
        description: str = "",
        status: int = 400,
        times: int = 1,
    ) -> None:
        """The next answers of the token endpoint are this OAuth error, at Entra with this AADSTS code; the provider's
        usual ``description`` unless another is given."""
        self._post(
            "prepare",
            endpoint="token",
            times=times,
            status=status,
            error=error,
            code=code,
            suberror=suberror,
            description=description,
        )

    def throttle(self, *, retry_after: int = 5, times: int = 1, endpoint: str = "token") -> None:
        """The next answers are 429 with Retry-After (seconds)."""
        self._post(
            "prepare",
            endpoint=endpoint,
            times=times,
            status=429,
            retry_after=retry_after,
            error="temporarily_unavailable",
            code=90055,
        )

    def fail(self, *, status: int = 500, times: int = 1, endpoint: str = "token") -> None:
        """The next answers are a bare server error."""
        self._post("prepare", endpoint=endpoint, times=times, status=status)

    def slow(self, seconds: float, *, times: int = 1, endpoint: str = "token") -> None:
        """The next requests wait before they are answered properly."""
        self._post("prepare", endpoint=endpoint, times=times, seconds=seconds)

    def skew_clock(self, seconds: int) -> None:
        """ID tokens are issued by a clock that is this far ahead (negative: behind)."""
        self._post("adjust", clock_skew=seconds)

    def shorten_tokens(self, seconds: int) -> None:
        """Access tokens issued from now on live this long instead of an hour."""
        self._post("adjust", token_lifetime=seconds)

    def falsify_id_tokens(self, **claims: str | int) -> None:
        """Replaces claims of the ID tokens issued from now on: ``nonce="wrong"``, ``aud=``, ``iss=``, ``tid=`` …"""
        self._post("adjust", claims=claims)

    def withhold_scopes(self, *names: str) -> None:
        """Consent grants less than was asked for, or Entra's application tokens lack these roles; names as they end:
        ``"SMTP.Send"``, ``"AccessAsApp"``."""
        self._post("adjust", withheld=names)

    def withdraw_admin_consent(self) -> None:
        """Entra's application tokens have no roles until an administrator accepts at the admin consent page."""
        self._post("adjust", consented=False)

    def withdraw_delegation(self) -> None:
        """Google's service account may no longer act in users' names."""
        self._post("adjust", delegated=[])

    def falsify_response_issuer(self, issuer: str) -> None:
        """The authorization response names this issuer (RFC 9207), at every provider."""
        self._post("adjust", response_issuer=issuer)

    def _post(self, action: str, **arguments: Any) -> Any:
        response = self._session.post(
            f"{self._url}/control/{action}",
            json=arguments,
            headers={"Authorization": f"Bearer {self._token}"},
            timeout=30,
        )
        response.raise_for_status()
        return response.json()["result"]
