"""What a credential backend is: it turns what an account holds into an Authenticator."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from django import forms

    from mailaccounts.crypto import Secret
    from mailaccounts.mail.sasl import Authenticator
    from mailaccounts.oauth.types import AccessToken


class TokenSource(Protocol):
    """Gives an access token that is valid now."""

    def access_token(self, *, fresh: bool = False) -> AccessToken:
        """``fresh`` forces a renewal: the last token was refused. Raises OAuthError."""


class NoTokens:
    """The token source of a credential without a grant."""

    def access_token(self, *, fresh: bool = False) -> AccessToken:
        raise LookupError("this credential has no grant")


class CredentialBackend(ABC):
    """One way to sign in. Stateless: one instance serves every account.

    ``slug`` is stored with each credential and never changes; ``label`` is what people read.
    """

    slug: ClassVar[str]
    label: ClassVar[str]

    @abstractmethod
    def authenticator(self, username: str, secret: Secret, tokens: TokenSource) -> Authenticator:
        """Hands the wire layer the ability to log in as ``username``; does no I/O."""


class FormBackend(CredentialBackend):
    """The user types something: password, app password."""

    form_class: ClassVar[type[forms.Form]]

    @abstractmethod
    def accept(self, cleaned: Mapping[str, Any]) -> Secret:
        """Turns the form's cleaned data into the secret to seal."""


class ConsentBackend(CredentialBackend):
    """The user, or an administrator for everybody (``app_only``), consents at an identity provider."""

    app_only: ClassVar[bool] = False
