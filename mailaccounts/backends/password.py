"""The account's own password, over SASL PLAIN or LOGIN."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.utils.translation import gettext_lazy as _

from mailaccounts.backends.base import FormBackend, TokenSource
from mailaccounts.backends.plain_login import PasswordAuthenticator
from mailaccounts.crypto import Secret

if TYPE_CHECKING:
    from collections.abc import Mapping


class PasswordForm(forms.Form):
    password = forms.CharField(
        label=_("Password"),
        strip=False,
        max_length=1024,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )


class PasswordBackend(FormBackend):
    slug = "password"
    label = "Password"
    form_class = PasswordForm

    def accept(self, cleaned: Mapping[str, Any]) -> Secret:
        return Secret(cleaned["password"])

    def authenticator(self, username: str, secret: Secret, tokens: TokenSource) -> PasswordAuthenticator:
        return PasswordAuthenticator(username, secret)
