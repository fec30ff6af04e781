"""Values the oauth room takes and gives. Tokens and states don't print."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime


class GrantState(bytes):
    """Opaque to everybody but its provider: a refresh token, a tenant's id or a mailbox. Doesn't print."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "GrantState(…)"

    __str__ = __repr__


Flow = Mapping[str, object]
"""What a provider has to remember between ``begin`` and ``complete``: state, nonce, PKCE verifier. JSON-able."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientRegistration:
    """Our registration with an identity provider. ``authority`` is an https URL: the base, to which ``tenant`` is
    added, or the whole with a path; for any OpenID Connect provider its issuer.

    ``client_secret`` is what ``proof`` says: "secret" itself, the PEM of a "certificate" with its private key, or the
    JSON of a "service_account" key. ``scopes`` replaces those the provider asks for; empty leaves them. ``name`` is
    what people call a provider that could be anybody.
    """

    client_id: str
    client_secret: str = field(repr=False)
    authority: str
    tenant: str = ""
    proof: str = "secret"
    scopes: tuple[str, ...] = ()
    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """A permission and why we ask for it, in a sentence a person reads before consenting.

    ``sends``: only needed for sending, so an account that just reads isn't asked for it.
    """

    name: str
    reason: str
    sends: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentRequest:
    """What to ask for. ``login_hint`` is the address the mailbox is known by, ``claims`` what InteractionRequired
    brought."""

    redirect_uri: str
    scopes: tuple[str, ...]
    login_hint: str = ""
    claims: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Authorization:
    """Where to send the person (``url``), what to keep (``flow``, sealed) and the ``state`` that will come back."""

    url: str
    state: str
    flow: Flow = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessToken:
    """A short-lived bearer token; ``expires_at`` is aware UTC."""

    value: str = field(repr=False)
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who consented, from a validated ID token.

    ``issuer``/``subject`` (for Entra ``tenant``/``object_id``) pin the person; ``address`` is a hint only, since
    providers let people change it (Entra's ID token claims reference).
    """

    issuer: str
    subject: str
    tenant: str = ""
    object_id: str = ""
    address: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Issued:
    """What a consent or a refresh yields. ``identity`` is None on a refresh. Of an application's own token ``scopes``
    are its roles, where the provider lists them. ``missing`` is what was asked for at a consent and not granted."""

    state: GrantState = field(repr=False)
    token: AccessToken
    scopes: frozenset[str]
    identity: Identity | None = None
    missing: tuple[str, ...] = ()
