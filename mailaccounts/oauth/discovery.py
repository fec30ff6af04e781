"""OpenID Connect Discovery 1.0: where a provider's endpoints and signing keys are. Kept for an hour per process."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from mailaccounts.errors import AuthorityUnknown, IssuerMismatch, ProviderUnavailable

if TYPE_CHECKING:
    from mailaccounts.oauth.transport import Transport

KEEP_SECONDS = 3600.0
MAX_DOCUMENTS = 64
TENANT = "{tenantid}"  # what Entra's common, organizations and consumers put for the tenant in the issuer


@dataclass(frozen=True, slots=True, kw_only=True)
class Metadata:
    """What a provider says about itself (OpenID Connect Discovery §3, RFC 8414 §2)."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    revocation_endpoint: str = ""
    userinfo_endpoint: str = ""
    sends_issuer: bool = False  # RFC 9207: every authorization response carries ``iss``
    algorithms: frozenset[str] = frozenset({"RS256"})  # of ID tokens
    client_auth: frozenset[str] = frozenset({"client_secret_basic"})  # how the token endpoint lets us prove who we are
    prompts: frozenset[str] | None = None  # those it knows; None when it doesn't say

    def is_issuer(self, issuer: str, *, tenant: str | None = None) -> bool:
        """Tells whether ``issuer`` is this provider's; a template is filled with ``tenant``, or with any GUID where
        the tenant isn't known."""
        if TENANT not in self.issuer:
            return issuer == self.issuer
        if tenant is not None:
            return bool(tenant) and issuer == self.issuer.replace(TENANT, tenant)
        return re.fullmatch(re.escape(self.issuer).replace(re.escape(TENANT), r"[0-9a-f-]{36}"), issuer) is not None


class Documents:
    """Fetches JSON documents and keeps them for ``KEEP_SECONDS``; several threads may use one."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._kept: dict[str, tuple[float, dict[str, Any]]] = {}

    def get(self, transport: Transport, url: str, *, label: str, fresh: bool = False) -> dict[str, Any]:
        """The document at ``url``. AuthorityUnknown when there is none (a mistyped tenant), ProviderUnavailable."""
        now = time.monotonic()
        with self._lock:
            until, document = self._kept.get(url, (0.0, {}))
        if until > now and not fresh:
            return document
        answer = transport.get(url)
        if answer.status_code != 200:
            raise AuthorityUnknown(provider=label)
        fetched = answer.json() if answer.text else None
        if not isinstance(fetched, dict):
            raise ProviderUnavailable(provider=label)
        with self._lock:
            if len(self._kept) >= MAX_DOCUMENTS:
                self._kept.clear()
            self._kept[url] = (now + KEEP_SECONDS, fetched)
        return fetched

    def forget(self) -> None:
        """Drops everything, for whoever knows that it has changed."""
        with self._lock:
            self._kept.clear()


documents = Documents()


def discover(transport: Transport, url: str, *, label: str, issuer: str | None = None) -> Metadata:
    """Reads the metadata at ``url``; IssuerMismatch when it isn't that of ``issuer``, to the letter."""
    document = documents.get(transport, url, label=label)
    if issuer is not None and document.get("issuer") != issuer:
        raise IssuerMismatch(provider=label)
    try:
        return Metadata(
            issuer=str(document["issuer"]),
            authorization_endpoint=_https(document["authorization_endpoint"]),
            token_endpoint=_https(document["token_endpoint"]),
            jwks_uri=_https(document["jwks_uri"]),
            revocation_endpoint=_https(document["revocation_endpoint"]) if document.get("revocation_endpoint") else "",
            userinfo_endpoint=_https(document["userinfo_endpoint"]) if document.get("userinfo_endpoint") else "",
            sends_issuer=document.get("authorization_response_iss_parameter_supported") is True,
            algorithms=_names(document.get("id_token_signing_alg_values_supported", ["RS256"])),
            client_auth=_names(document.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])),
            prompts=_names(document["prompt_values_supported"]) if "prompt_values_supported" in document else None,
        )
    except (KeyError, ValueError):
        raise ProviderUnavailable(provider=label) from None


def metadata_url(issuer: str) -> str:
    """Where an issuer's metadata is (OpenID Connect Discovery §4)."""
    return issuer.rstrip("/") + "/.well-known/openid-configuration"


def _https(url: object) -> str:
    if not isinstance(url, str) or urlsplit(url).scheme != "https":
        raise ValueError("an endpoint is an https URL")
    return url


def _names(values: object) -> frozenset[str]:
    if not isinstance(values, list) or not all(isinstance(each, str) for each in values):
        raise ValueError("a list of names")
    return frozenset(values)
