"""Google: mailboxes that people open to us, or that a Workspace administrator delegated to a service account."""

from __future__ import annotations

import json
import re
import time
from base64 import b64decode
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

import jwt

from mailaccounts.errors import (
    ClientMisconfigured,
    ClientSecretRefused,
    DelegationMissing,
    OAuthError,
    ProviderUnavailable,
    UserUnknownAtProvider,
)
from mailaccounts.oauth.answers import pack, read_token, unpack
from mailaccounts.oauth.guard import guarded
from mailaccounts.oauth.openid import OpenIdProvider
from mailaccounts.oauth.refusals import BY_ERROR, refusal
from mailaccounts.oauth.scopes import EMAIL, OPENID, PROVEN_OTHERWISE, READ_ALL
from mailaccounts.oauth.transport import wait_of
from mailaccounts.oauth.types import GrantState, Identity, Issued, Scope

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mailaccounts.oauth.transport import Page

NOBODY = "nobody@example.invalid"
ERROR_NAME = re.compile(rb"[a-z_]{5,60}")  # in a message of protocol buffers
JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"  # RFC 7523
ASSERTION_SECONDS = 600  # Google takes an hour at most
OUR_KEY = re.compile(r"jwt|signature|account not found", re.IGNORECASE)
"""What ``invalid_grant`` says of a key that was deleted, or of a clock that is wrong; else it is about the user."""


class GoogleProvider(OpenIdProvider):
    """Gmail and Google Workspace mailboxes."""

    slug = "google"
    label = "Google"
    scopes = (
        Scope(
            name="https://mail.google.com/",
            reason="Read your mail, so that messages with your contacts appear in the CRM, and send as you when you "
            "answer from there.",
        ),
        OPENID,
        EMAIL,
    )
    also_asked = {"access_type": "offline"}  # Google's way to ask for a refresh token …
    prompt = "consent select_account"  # … which it gives only at a consent, not at a mere sign-in

    @guarded
    def app_only(self, *, tenant: str = "", mailbox: str = "") -> GrantState:
        """The state of our access to ``mailbox`` by domain-wide delegation; ClientMisconfigured without the key of a
        service account."""
        self._service_account()
        if not mailbox:
            raise UserUnknownAtProvider(provider=self.label)
        return pack(mailbox=mailbox.lower())

    @guarded
    def principal(self, state: GrantState) -> Identity:
        mailbox = unpack(state)["mailbox"]
        return Identity(issuer=self._authority, subject=mailbox, tenant=mailbox.rpartition("@")[2], address=mailbox)

    @property
    def application_scopes(self) -> tuple[Scope, ...]:
        return tuple(Scope(name=name, reason=READ_ALL) for name in self._mail_scopes())

    @property
    def delegated_client_id(self) -> str:
        """What a Workspace administrator has to enter for us: the service account's number."""
        self._service_account()
        return str(json.loads(self._registration.client_secret).get("client_id", ""))

    @guarded
    def prove_client(self) -> bool:
        """A service account asks for the mailbox of nobody, which is refused otherwise than a wrong key."""
        if self._registration.proof != "service_account":
            return super().prove_client()
        try:
            self.refresh(self.app_only(mailbox=NOBODY))
        except (DelegationMissing, UserUnknownAtProvider):
            return True
        return True

    def _read_page(self, page: Page) -> bool:
        """Google leads to its page of errors, whose address names the error; to its sign-in page only for a client and
        a redirect URI it knows."""
        parts = urlsplit(page.location)
        error = dict(parse_qsl(parts.query)).get("authError")
        if error is not None:
            name = _name_in(error)
            raise BY_ERROR.get(name, ClientMisconfigured)(provider=self.label)
        return "/signin/" in parts.path or super()._read_page(page)

    def _application_token(self, state: GrantState, kept: Mapping[str, Any]) -> Issued:
        endpoint = self._metadata().token_endpoint
        form = {"grant_type": JWT_BEARER, "assertion": self._assertion(kept["mailbox"], audience=endpoint)}
        answer = self._transport.post(endpoint, data=form)
        content = answer.json() if answer.text else None
        if not isinstance(content, dict):
            raise ProviderUnavailable(provider=self.label)
        if "error" in content:
            raise self._refused(content, retry_after=wait_of(answer.headers))
        token = read_token(content, label=self.label)
        return Issued(state=state, token=token, scopes=frozenset(self._mail_scopes()))

    def _assertion(self, mailbox: str, *, audience: str) -> str:
        """We say who we are and whose mailbox we want (developers.google.com, "Using OAuth 2.0 for Server to Server
        Applications")."""
        account, now = self._service_account(), int(time.time())
        claims = {
            "iss": account["client_email"],
            "sub": mailbox,
            "scope": " ".join(self._mail_scopes()),
            "aud": audience,
            "iat": now,
            "exp": now + ASSERTION_SECONDS,
        }
        try:
            return jwt.encode(claims, account["private_key"], "RS256", headers={"kid": account["private_key_id"]})
        except (jwt.PyJWTError, ValueError, TypeError):
            raise ClientMisconfigured(provider=self.label) from None

    def _service_account(self) -> dict[str, str]:
        """The key file as Google made it."""
        try:
            account = json.loads(
                self._registration.client_secret if self._registration.proof == "service_account" else ""
            )
            return {name: str(account[name]) for name in ("client_email", "private_key", "private_key_id")}
        except (ValueError, LookupError, TypeError):
            raise ClientMisconfigured(provider=self.label) from None

    def _mail_scopes(self) -> list[str]:
        return [scope.name for scope in self.scopes if scope.name not in PROVEN_OTHERWISE]

    def _refused(self, answer: Mapping[str, Any], *, retry_after: float | None) -> OAuthError:
        match answer["error"]:
            case "unauthorized_client" | "access_denied":
                return DelegationMissing(provider=self.label)
            case "invalid_grant":
                ours = OUR_KEY.search(str(answer.get("error_description")))
                return (ClientSecretRefused if ours else UserUnknownAtProvider)(provider=self.label)
        return refusal(answer, label=self.label, app_only=True, retry_after=retry_after)


def _name_in(error: str) -> str:
    """The name of the error that ``authError`` begins with: base64 of a message of protocol buffers."""
    try:
        found = ERROR_NAME.search(b64decode(error[:80] + "==", "-_"))
    except ValueError:
        return ""
    return found[0].decode() if found else ""
