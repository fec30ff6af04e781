"""What somebody else's package looks like: a backend of its own, made from our public base classes only."""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING, Any

from django import forms

from mailaccounts.backends.base import FormBackend, TokenSource
from mailaccounts.crypto import Secret
from mailaccounts.errors import CapabilityMissing, UnsafeArgument

if TYPE_CHECKING:
    from collections.abc import Mapping


class SharedSecretForm(forms.Form):
    shared_secret = forms.CharField(widget=forms.PasswordInput)


class CramMd5:
    """CRAM-MD5 (RFC 2195): proves the secret without sending it."""

    name = "CRAM-MD5"

    def __init__(self, username: str, secret: Secret) -> None:
        if not username.isprintable() or " " in username:
            raise UnsafeArgument(what="The user name")
        self._username, self._secret = username, secret

    def respond(self, challenge: bytes) -> bytes:
        if not challenge:
            return b""
        digest = hmac.new(self._secret.reveal(), challenge, hashlib.md5).hexdigest()
        return f"{self._username} {digest}".encode()


class CramMd5Authenticator:
    def __init__(self, username: str, secret: Secret) -> None:
        self._username, self._secret = username, secret

    def mechanism(self, offered: frozenset[str], *, fresh: bool = False) -> CramMd5:
        if CramMd5.name not in offered:
            raise CapabilityMissing(host="The server", what="sign-in with a shared secret")
        return CramMd5(self._username, self._secret)


class CramMd5Backend(FormBackend):
    slug = "cram_md5"
    label = "Shared secret"
    form_class = SharedSecretForm

    def accept(self, cleaned: Mapping[str, Any]) -> Secret:
        return Secret(cleaned["shared_secret"])

    def authenticator(self, username: str, secret: Secret, tokens: TokenSource) -> CramMd5Authenticator:
        return CramMd5Authenticator(username, secret)
