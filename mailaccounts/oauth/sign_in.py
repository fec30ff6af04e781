"""Who somebody is, for a host whose users sign in at identity providers. The tokens are dropped: no grant results."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from abc import abstractmethod
from base64 import b64encode, urlsafe_b64encode
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_plus, urlencode

from mailaccounts.errors import (
    GrantRevoked,
    InteractionRequired,
    NotAskedAgain,
    OAuthError,
    ProviderUnavailable,
    SignInExpired,
)
from mailaccounts.oauth.guard import guarded
from mailaccounts.oauth.id_token import LEEWAY_SECONDS, MAX_ADDRESS, IdTokenValidator
from mailaccounts.oauth.refusals import refusal
from mailaccounts.oauth.types import Authorization

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mailaccounts.oauth.discovery import Metadata
    from mailaccounts.oauth.transport import Transport
    from mailaccounts.oauth.types import ClientRegistration, Flow

SCOPES = "openid profile email"
AGAIN = "login"  # the prompt that makes a provider ask somebody it knows already
YES = (True, 1, "1", "true")


@dataclass(frozen=True, slots=True, kw_only=True)
class SignInRequest:
    """How to ask. ``prompt`` is OpenID Connect's: "" leaves it to the provider, "select_account", "login"."""

    redirect_uri: str
    prompt: str = ""
    login_hint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody, by the word of a provider.

    ``key`` is theirs for good: of issuer and subject, for Entra of tenant and object id. ``address`` is what they call
    their account and may be anything. Only an ``email`` that is ``proven`` says something about its mailbox.
    """

    key: str
    issuer: str
    subject: str
    address: str
    email: str
    proven: bool
    name: str


class SignsPeopleIn:
    """The part of a provider that tells who somebody is."""

    slug: str
    label: str
    _registration: ClientRegistration
    _transport: Transport

    @guarded
    def ask_who(self, request: SignInRequest) -> Authorization:
        """Prepares a sign-in with state, nonce and PKCE S256."""
        metadata = self._metadata()
        state, nonce, verifier = (secrets.token_urlsafe(size) for size in (32, 32, 64))
        asked = {
            "response_type": "code",
            "client_id": self._registration.client_id,
            "redirect_uri": request.redirect_uri,
            "scope": SCOPES,
            "state": state,
            "nonce": nonce,
            "code_challenge": urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode(),
            "code_challenge_method": "S256",
            "login_hint": request.login_hint,
            "prompt": request.prompt if metadata.prompts is None or request.prompt in metadata.prompts else "",
        }
        flow = {
            "state": state,
            "nonce": nonce,
            "verifier": verifier,
            "redirect_uri": request.redirect_uri,
            "not_before": int(time.time()) if request.prompt == AGAIN else 0,
        }
        query = urlencode({name: value for name, value in asked.items() if value})
        joint = "&" if "?" in metadata.authorization_endpoint else "?"
        return Authorization(url=f"{metadata.authorization_endpoint}{joint}{query}", state=state, flow=flow)

    @guarded
    def identify(self, flow: Flow, params: Mapping[str, str]) -> Person:
        """Who came back with ``params``: the code is redeemed and the ID token judged.

        Raises SignInExpired for a wrong state or a dead code, ConsentDeclined, IdTokenInvalid, NotAskedAgain and the
        errors of a refusal.
        """
        if not hmac.compare_digest(str(flow["state"]).encode(), params.get("state", "").encode()):
            raise SignInExpired
        metadata = self._metadata()
        self._check_sender(params.get("iss"), metadata)
        if "error" in params:
            raise refusal(params, label=self.label)
        if not params.get("code"):
            raise SignInExpired
        answer = self._redeem_for_identity(metadata, flow, params["code"])
        validator = IdTokenValidator(
            self._transport, metadata, client_id=self._registration.client_id, label=self.label
        )
        claims = validator.claims(str(answer.get("id_token", "")), nonce=str(flow["nonce"]))
        self._insist_on_asking(claims, not_before=flow.get("not_before"))
        if not claims.get("email"):
            told = self._userinfo(metadata, answer, subject=claims["sub"])
            claims = {**told, **claims, "email": told.get("email"), "email_verified": told.get("email_verified")}
        return person(claims, provider=self.slug)

    @abstractmethod
    def _metadata(self) -> Metadata:
        """What the provider says about itself."""

    @abstractmethod
    def _check_sender(self, issuer: str | None, metadata: Metadata) -> None:
        """Refuses an answer that another provider sent."""

    def _redeem_for_identity(self, metadata: Metadata, flow: Flow, code: str) -> Mapping[str, Any]:
        """Trades the code for the token endpoint's answer (RFC 6749 §4.1.3)."""
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": str(flow["redirect_uri"]),
            "code_verifier": str(flow["verifier"]),
        }
        who = {"client_id": self._registration.client_id, "client_secret": self._registration.client_secret}
        headers = {}
        if "client_secret_post" in metadata.client_auth:
            form |= who
        else:  # both parts encoded as in forms (RFC 6749 §2.3.1)
            login = ":".join(map(quote_plus, who.values()))
            headers["Authorization"] = f"Basic {b64encode(login.encode()).decode()}"
        answer = self._transport.post(metadata.token_endpoint, data=form, headers=headers)
        content = answer.json() if answer.text else None
        if not isinstance(content, dict):
            raise ProviderUnavailable(provider=self.label)
        if "error" in content:
            error = refusal(content, label=self.label)
            dead = isinstance(error, GrantRevoked) and not isinstance(error, InteractionRequired)
            raise SignInExpired if dead else error
        return content

    def _insist_on_asking(self, claims: Mapping[str, Any], *, not_before: object) -> None:
        """Refuses a sign-in that is older than our question, as far as the provider tells (``auth_time``)."""
        at = claims.get("auth_time")
        if isinstance(not_before, int) and isinstance(at, int | float) and at < not_before - LEEWAY_SECONDS:
            raise NotAskedAgain(provider=self.label)

    def _userinfo(self, metadata: Metadata, answer: Mapping[str, Any], *, subject: str) -> dict[str, Any]:
        """What the ID token left out, from userinfo: of the same person (OpenID Connect Core §5.3.2), or nothing."""
        if not metadata.userinfo_endpoint or not answer.get("access_token"):
            return {}
        with suppress(OAuthError):
            headers = {"Authorization": f"Bearer {answer['access_token']}"}
            found = self._transport.get(metadata.userinfo_endpoint, headers=headers)
            content = found.json() if found.status_code == 200 and found.text else None
            if isinstance(content, dict) and content.get("sub") == subject:
                return content
        return {}


def person(claims: Mapping[str, Any], *, provider: str) -> Person:
    """The person that the validated claims of ``provider`` are about."""
    email = _text(claims.get("email")).lower()
    pinned = claims.get("oid") if provider == "microsoft" else None
    return Person(
        key=hashlib.sha256(f"{claims['iss']}\n{pinned or claims['sub']}".encode()).hexdigest(),
        issuer=claims["iss"],
        subject=claims["sub"],
        address=_text(claims.get("preferred_username")) or email,
        email=email,
        proven=bool(email) and _is_proven(claims, email=email, provider=provider),
        name=_text(claims.get("name")),
    )


def _is_proven(claims: Mapping[str, Any], *, email: str, provider: str) -> bool:
    """Whether the provider has seen for itself that the address is theirs.

    Entra's ``email`` is whatever an administrator typed, unless ``xms_edov`` says that the domain's owner vouches for
    it (optional claims reference). Google answers for Gmail and for the domains it hosts (Google, "OpenID Connect").
    """
    match provider:
        case "microsoft":
            return claims.get("xms_edov") in YES
        case "google":
            return claims.get("email_verified") in YES and (email.endswith("@gmail.com") or bool(claims.get("hd")))
        case _:
            return claims.get("email_verified") in YES


def _text(value: object) -> str:
    """A claim as it may be stored and shown: people choose it, so it can be anything."""
    usable = isinstance(value, str) and value.isprintable() and len(value) <= MAX_ADDRESS
    return str(value).strip() if usable else ""
