"""What providers have in common: who may answer, whose identity counts, what has to be granted."""

from __future__ import annotations

import hmac
from abc import abstractmethod
from typing import TYPE_CHECKING, Any

from mailaccounts.errors import (
    ClientMisconfigured,
    ConsentExpired,
    GrantRevoked,
    IdTokenInvalid,
    InteractionRequired,
)
from mailaccounts.oauth.answers import read_grant, read_token, unpack
from mailaccounts.oauth.examined import ExaminedProvider
from mailaccounts.oauth.guard import guarded
from mailaccounts.oauth.id_token import IdTokenValidator
from mailaccounts.oauth.pinned import look_up
from mailaccounts.oauth.refusals import refusal
from mailaccounts.oauth.scopes import explained, missing
from mailaccounts.oauth.sign_in import SignsPeopleIn
from mailaccounts.oauth.transport import Transport
from mailaccounts.oauth.types import Issued

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mailaccounts.oauth.discovery import Metadata
    from mailaccounts.oauth.pinned import Resolve
    from mailaccounts.oauth.transport import Answer
    from mailaccounts.oauth.types import ClientRegistration, Flow, GrantState, Scope

GONE = {"invalid_token", "invalid_grant"}  # what some answer to the revocation of what is no more


class BaseProvider(SignsPeopleIn, ExaminedProvider):
    """An OpenID Connect provider and our registration with it. Subclasses speak to the token endpoint."""

    slug: str
    label: str
    scopes: tuple[Scope, ...]

    def __init__(self, registration: ClientRegistration, *, ca_bundle: str = "", resolve: Resolve = look_up) -> None:
        """``resolve`` judges every host of the provider before it is connected to."""
        self._registration = registration
        self._authority = self.whole_authority(registration.authority, registration.tenant)
        self.scopes = explained(registration.scopes, self.usual_scopes()) or self.usual_scopes()
        self._transport = Transport(self.label, ca_bundle=ca_bundle, resolve=resolve)

    @staticmethod
    def whole_authority(authority: str, tenant: str) -> str:
        """The URL that stands for the provider: its issuer, to the letter."""
        return authority

    def usual_scopes(self) -> tuple[Scope, ...]:
        """What is asked for unless the registration names scopes of its own."""
        return type(self).scopes

    @guarded
    def complete(self, flow: Flow, params: Mapping[str, str]) -> Issued:
        """Exchanges the callback's parameters for a grant and proves who consented.

        Raises ConsentExpired for a wrong state or a dead code, ConsentDeclined, ScopeMissing where access would end
        within the hour, IdTokenInvalid and the errors of a refusal.
        """
        if not hmac.compare_digest(str(flow["state"]).encode(), params.get("state", "").encode()):
            raise ConsentExpired
        metadata = self._metadata()
        self._check_sender(params.get("iss"), metadata)
        if "error" in params:
            raise refusal(params, label=self.label)
        if not params.get("code"):
            raise ConsentExpired
        answer = self._redeem_once(flow, params)
        asked = [str(name) for name in flow["asked"]] if isinstance(flow["asked"], list) else []
        token = read_token(answer, label=self.label)
        state, granted = read_grant(answer, asked=asked, label=self.label)
        validator = IdTokenValidator(
            self._transport, metadata, client_id=self._registration.client_id, label=self.label
        )
        identity = validator.validate(str(answer.get("id_token", "")), nonce=self._nonce(flow))
        lacking = tuple(missing(asked, granted, same=self._permission))
        return Issued(state=state, token=token, scopes=granted, identity=identity, missing=lacking)

    @guarded
    def refresh(self, state: GrantState) -> Issued:
        """Renews the access token with the scopes once asked for. The new state must be saved before the token is
        used: the provider may have retired the old one."""
        kept = unpack(state)
        if "refresh_token" not in kept:
            return self._application_token(state, kept)
        earlier, scopes = kept["refresh_token"], kept["scopes"]
        answer = self._renew(earlier, scopes)
        new_state, granted = read_grant(answer, asked=scopes, earlier=earlier, label=self.label)
        return Issued(state=new_state, token=read_token(answer, label=self.label), scopes=granted)

    @guarded
    def revoke(self, state: GrantState) -> bool:
        """Asks for the end of the grant (RFC 7009) where there is an endpoint for it: False at Entra, for one, and for
        what we may do in our own name, which is its administrator's to end."""
        kept = unpack(state)
        endpoint = self._metadata().revocation_endpoint if "refresh_token" in kept else ""
        if not endpoint:
            return False
        answer = self._give_back(endpoint, kept["refresh_token"])
        if answer.status_code != 200:  # RFC 7009 §2.2
            content = answer.json() if answer.text else None
            if not isinstance(content, dict) or content.get("error") not in GONE:
                raise refusal(content if isinstance(content, dict) else {}, label=self.label)
        return True

    @abstractmethod
    def _redeem(self, flow: Flow, params: Mapping[str, str]) -> Mapping[str, Any]:
        """Trades the code for the token endpoint's answer; raises refusals."""

    @abstractmethod
    def _give_back(self, endpoint: str, refresh_token: str) -> Answer:
        """Tells the revocation endpoint; its answer."""

    def _application_token(self, state: GrantState, kept: Mapping[str, Any]) -> Issued:
        """A token in our own name, of a state that ``app_only`` made."""
        raise ClientMisconfigured(provider=self.label)

    def _nonce(self, flow: Flow) -> str:
        """The nonce as it stood in the authorization request."""
        return str(flow["nonce"])

    def _permission(self, scope: str) -> str:
        """One name for what a provider has several names for."""
        return scope

    def _redeem_once(self, flow: Flow, params: Mapping[str, str]) -> Mapping[str, Any]:
        """A dead code is an expired consent: there is no grant yet that could end."""
        try:
            return self._redeem(flow, params)
        except InteractionRequired:
            raise
        except GrantRevoked:
            raise ConsentExpired from None

    def _check_sender(self, issuer: str | None, metadata: Metadata) -> None:
        """Refuses an answer that another provider sent (RFC 9207 §2.4, mix-up attack)."""
        if (issuer is None and metadata.sends_issuer) or (issuer is not None and not metadata.is_issuer(issuer)):
            raise IdTokenInvalid(provider=self.label)
