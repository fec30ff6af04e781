"""What a provider tells of our registration without anybody signing in."""

from __future__ import annotations

from abc import ABC, abstractmethod
from secrets import token_urlsafe
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from mailaccounts.errors import ClientMisconfigured, GrantRevoked, RedirectUriUnknown
from mailaccounts.oauth.guard import guarded
from mailaccounts.oauth.refusals import refusal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mailaccounts.oauth.discovery import Metadata
    from mailaccounts.oauth.transport import Page, Transport
    from mailaccounts.oauth.types import Authorization, ConsentRequest, Scope


class ExaminedProvider(ABC):
    """The part of a provider that examines a registration."""

    label: str
    scopes: tuple[Scope, ...]
    _transport: Transport

    @guarded
    def look_up(self) -> None:
        """Finds the provider; raises what is wrong with where it should be."""
        self._metadata()

    @guarded
    def prove_client(self) -> bool:
        """Whether the provider takes our client id and secret; False where it doesn't tell. Raises what it refuses.

        It is shown a refresh token that never was: who hears that it is no good has been let in (RFC 6749 §5.2).
        """
        try:
            self._renew(token_urlsafe(32), [scope.name for scope in self.scopes])
        except GrantRevoked:
            return True
        return True

    @guarded
    def knows_redirect(self, request: ConsentRequest) -> bool:
        """Whether people come back to the redirect URI of ``request``; False where that isn't told. Raises what is
        refused.

        The provider is asked not to show a page (prompt=none, OpenID Connect Core §3.1.2.1). It then sends nobody
        along as well, with login_required, but to a redirect URI it knows (RFC 6749 §3.1.2.4).
        """
        page = self._transport.look(_silent(self.begin(request).url))
        where, _, query = page.location.partition("?")
        if where != request.redirect_uri:
            return self._read_page(page)
        error = refusal(dict(parse_qsl(query)), label=self.label)
        if isinstance(error, ClientMisconfigured):
            raise error
        return True

    def _read_page(self, page: Page) -> bool:
        """What it means that the provider didn't send us back: RFC 6749 §4.1.2.1 has it tell the person of an unknown
        client or redirect URI, and only of those."""
        if 400 <= page.status < 500:
            raise RedirectUriUnknown(provider=self.label)
        return False

    @abstractmethod
    def begin(self, request: ConsentRequest) -> Authorization:
        """Prepares a consent with state, nonce and PKCE S256."""

    @abstractmethod
    def _metadata(self) -> Metadata:
        """What the provider says about itself."""

    @abstractmethod
    def _renew(self, refresh_token: str, scopes: list[str]) -> Mapping[str, Any]:
        """Trades a refresh token for the token endpoint's answer; raises refusals."""


def _silent(url: str) -> str:
    """The authorization request, but without a page."""
    parts = urlsplit(url)
    asked = {**dict(parse_qsl(parts.query)), "prompt": "none"}
    return parts._replace(query=urlencode(asked)).geturl()
