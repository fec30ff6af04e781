"""Microsoft, through MSAL: the only module that knows it."""

from __future__ import annotations

import hashlib
import json
import re
import warnings
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

import jwt
import msal

from mailaccounts.errors import (
    AdminApprovalNeeded,
    ClientMisconfigured,
    ClientRefused,
    ClientUnknown,
    IdTokenInvalid,
    ProviderUnavailable,
)
from mailaccounts.oauth.answers import pack, read_token, unpack
from mailaccounts.oauth.base import BaseProvider
from mailaccounts.oauth.certificate import read_certificate
from mailaccounts.oauth.clouds import SHARED_TENANTS, application_scope, mail_scopes, of_tenant, tenant_of
from mailaccounts.oauth.discovery import discover, documents, metadata_url
from mailaccounts.oauth.guard import STUMBLES, guarded
from mailaccounts.oauth.refusals import BY_CODE, refusal
from mailaccounts.oauth.scopes import OFFLINE, READ_ALL, SEND_ALL
from mailaccounts.oauth.transport import Answer
from mailaccounts.oauth.types import Authorization, GrantState, Identity, Issued, Scope

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from mailaccounts.oauth.discovery import Metadata
    from mailaccounts.oauth.transport import Page, Transport
    from mailaccounts.oauth.types import AccessToken, ConsentRequest, Flow

RESERVED = frozenset({"openid", "profile", OFFLINE})  # MSAL adds these itself and refuses to be told
PAGE_CODES = (50011, 700016, 90002)  # of an authorization request that can't be answered to the client
TENANT = re.compile(r"[0-9a-zA-Z][0-9a-zA-Z.-]{0,79}")  # a GUID or a domain

# We ask for the answer in the query on purpose: a form_post is a cross-site POST, without our Lax session cookie.
warnings.filterwarnings("ignore", message="response_mode='form_post'", module="msal")


class MicrosoftProvider(BaseProvider):
    """Exchange Online and Outlook.com mailboxes: delegated by people, or opened to us by a tenant's administrator."""

    slug = "microsoft"
    label = "Microsoft"
    scopes = mail_scopes("")
    application_scopes = (
        Scope(name="IMAP.AccessAsApp", reason=READ_ALL),
        Scope(name="SMTP.SendAsApp", reason=SEND_ALL, sends=True),
    )

    def usual_scopes(self) -> tuple[Scope, ...]:
        return mail_scopes(self._authority)

    @staticmethod
    def whole_authority(authority: str, tenant: str) -> str:
        """``authority`` is the base URL, to which ``tenant`` is added, or the whole one when it has a path already."""
        base = authority.rstrip("/")
        return base if urlsplit(base).path else f"{base}/{tenant}".rstrip("/")

    @guarded
    def begin(self, request: ConsentRequest) -> Authorization:
        """Prepares a consent with state, nonce and PKCE S256; MSAL makes all three."""
        flow = self._app().initiate_auth_code_flow(
            _without_reserved(request.scopes),
            redirect_uri=request.redirect_uri,
            login_hint=request.login_hint or None,
            prompt="select_account",  # never "consent": where an admin has to approve, that loops for ever
            response_mode="query",
            claims_challenge=request.claims or None,
        )
        return Authorization(url=flow["auth_uri"], state=flow["state"], flow={**flow, "asked": list(request.scopes)})

    @guarded
    def admin_consent_url(self, request: ConsentRequest, *, tenant: str, state: str) -> str:
        """Where an administrator consents for a whole tenant (Entra docs, v2-admin-consent); ``tenant`` may be
        "organizations" while it isn't known."""
        authority = of_tenant(self._authority, self._usable(tenant))
        asked = {
            "client_id": self._registration.client_id,
            "redirect_uri": request.redirect_uri,
            "state": state,
            "scope": " ".join(request.scopes) or application_scope(authority),
        }
        return f"{authority}/v2.0/adminconsent?{urlencode(asked)}"

    @guarded
    def read_admin_consent(self, params: Mapping[str, str]) -> str:
        """The tenant that the callback claims has consented. Anybody can write such a URL: only a token of that tenant
        proves it, and a mailbox that opens. Raises what a refusal means."""
        if "error" in params:
            raise refusal(params, label=self.label)
        tenant = params.get("tenant", "")
        if params.get("admin_consent", "").lower() != "true" or not TENANT.fullmatch(tenant):
            raise IdTokenInvalid(provider=self.label)
        return tenant

    @guarded
    def app_only(self, *, tenant: str = "", mailbox: str = "") -> GrantState:
        """The state of our own access to ``tenant``, or the registration's own, by the directory's id whichever name
        was given. ClientMisconfigured for what is no tenant, AuthorityUnknown for one that isn't there."""
        named = self._usable(tenant or tenant_of(self._authority))
        if named.lower() in SHARED_TENANTS:
            raise ClientMisconfigured(provider=self.label)
        issuer = self._metadata(of_tenant(self._authority, named)).issuer
        return pack(tenant=self._usable(tenant_of(issuer)))

    @guarded
    def principal(self, state: GrantState) -> Identity:
        tenant = unpack(state)["tenant"]
        issuer = self._metadata(of_tenant(self._authority, tenant)).issuer
        return Identity(issuer=issuer, subject=self._registration.client_id, tenant=tenant)

    @guarded
    def prove_client(self) -> bool:
        """By a token of our own, which Entra gives to every client it knows. A shared tenant has none, and Entra looks
        at a refresh token before the secret (AADSTS9002313), so that nothing is proven there by its refusal."""
        if tenant_of(self._authority).lower() not in SHARED_TENANTS:
            try:
                self.refresh(self.app_only())
            except AdminApprovalNeeded:  # the registration is another directory's, and this one hasn't met it
                return False
            return True
        try:
            super().prove_client()
        except (ClientRefused, ClientUnknown, ProviderUnavailable):
            raise
        except ClientMisconfigured:
            return False
        return False

    def _read_page(self, page: Page) -> bool:
        """Entra's page names its code; the status says little."""
        for code in PAGE_CODES:
            if f"AADSTS{code}" in page.text:
                raise BY_CODE[code](provider=self.label)
        return False

    def _application_token(self, state: GrantState, kept: Mapping[str, Any]) -> Issued:
        authority = of_tenant(self._authority, kept["tenant"])
        answer = self._app(authority).acquire_token_for_client([application_scope(authority)])
        if "error" in answer:
            error = refusal(answer, label=self.label, app_only=True)
            elsewhere = authority != self._authority
            if elsewhere and isinstance(error, ClientUnknown):  # it isn't installed in that directory, or no more
                raise AdminApprovalNeeded(provider=self.label)
            raise error
        token = read_token(answer, label=self.label)
        return Issued(state=state, token=token, scopes=roles(token))

    def _metadata(self, authority: str = "") -> Metadata:
        authority = authority or self._authority
        if urlsplit(authority).scheme != "https":
            raise ClientMisconfigured(provider=self.label)
        return discover(self._transport, metadata_url(f"{authority}/v2.0"), label=self.label)

    def _app(self, authority: str = "") -> msal.ConfidentialClientApplication:
        """MSAL for one conversation: a new one each time, since it replays failed answers for a minute."""
        self._metadata(authority)  # fails in our words; MSAL gets the same document
        try:
            return msal.ConfidentialClientApplication(
                self._registration.client_id,
                client_credential=self._credential(),
                authority=authority or self._authority,
                instance_discovery=False,  # the operator vouches for the authority
                azure_region=False,  # or the environment could send us elsewhere
                token_cache=_NoCache(),
                http_client=_MsalClient(self._transport, label=self.label),
            )
        except ValueError:
            raise ClientMisconfigured(provider=self.label) from None

    def _credential(self) -> str | dict[str, str]:
        """What MSAL proves with who we are."""
        match self._registration.proof:
            case "secret":
                return self._registration.client_secret
            case "certificate":
                key, certificate = read_certificate(self._registration.client_secret, label=self.label)
                return {"private_key": key, "public_certificate": certificate}
            case _:
                raise ClientMisconfigured(provider=self.label)

    def _redeem(self, flow: Flow, params: Mapping[str, str]) -> Mapping[str, Any]:
        app = self._app()
        try:
            answer = app.acquire_token_by_auth_code_flow(dict(flow), dict(params))
        except STUMBLES:
            raise IdTokenInvalid(provider=self.label) from None
        return self._accepted(answer)

    def _renew(self, refresh_token: str, scopes: list[str]) -> Mapping[str, Any]:
        return self._accepted(self._app().acquire_token_by_refresh_token(refresh_token, _without_reserved(scopes)))

    def _accepted(self, answer: Mapping[str, Any]) -> Mapping[str, Any]:
        if "error" in answer:
            raise refusal(answer, label=self.label)
        return answer

    def _give_back(self, endpoint: str, refresh_token: str) -> Answer:
        client = self._app().client  # MSAL doesn't revoke, but knows how we prove who we are
        form = {"token": refresh_token, "token_type_hint": "refresh_token", "client_id": client.client_id}
        if client.client_assertion:
            form["client_assertion"] = client.client_assertion()
        return self._transport.post(endpoint, data={**client.default_body, **form})

    def _nonce(self, flow: Flow) -> str:
        return hashlib.sha256(str(flow["nonce"]).encode()).hexdigest()  # MSAL sends the hash

    def _permission(self, scope: str) -> str:
        """``IMAP.AccessAsUser.All`` of a scope URL: Microsoft answers with outlook.office365.com as well."""
        return scope.rsplit("/", 1)[-1].lower()

    def _usable(self, tenant: str) -> str:
        if not TENANT.fullmatch(tenant):
            raise ClientMisconfigured(provider=self.label)
        return tenant


def roles(token: AccessToken) -> frozenset[str]:
    """The application permissions in a token of our own, as far as it can be read; it may have none and still open
    mailboxes, by a role of Exchange. For people to look at: Exchange is whom the token is for, and the one to judge
    it."""
    try:
        claims = jwt.decode(token.value, options={"verify_signature": False})
    except jwt.PyJWTError:
        return frozenset()
    named = claims.get("roles")
    return frozenset(each for each in named if isinstance(each, str)) if isinstance(named, list) else frozenset()


class _MsalClient:
    """MSAL's way to the provider. All it GETs is discovery, which we keep: a refresh then costs one request."""

    def __init__(self, transport: Transport, *, label: str) -> None:
        self._transport, self._label = transport, label

    def get(self, url: str, **options: Any) -> Answer:
        document = documents.get(self._transport, url, label=self._label)
        return Answer(status_code=200, text=json.dumps(document), headers={})

    def post(self, url: str, **options: Any) -> Answer:
        answer = self._transport.post(url, **options)
        if not answer.text or not isinstance(answer.json(), dict):
            raise ProviderUnavailable(provider=self._label)  # MSAL takes any JSON for a token answer
        return answer

    def close(self) -> None:
        """Nothing stays open."""


class _NoCache(msal.TokenCache):  # type: ignore[misc]  # msal is untyped
    """Forgets what MSAL learns: the grant's state is kept by us, and MSAL's cache logs the code it was given."""

    def add(self, event: Mapping[str, Any], now: float | None = None) -> None:
        return None


def _without_reserved(scopes: Iterable[str]) -> list[str]:
    return [name for name in scopes if name not in RESERVED]
