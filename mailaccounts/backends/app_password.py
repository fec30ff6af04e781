"""An app password: made by the provider for one program, shown once, mostly in groups with spaces between them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.utils.translation import gettext_lazy as _

from mailaccounts.backends.base import FormBackend, TokenSource
from mailaccounts.backends.plain_login import PasswordAuthenticator
from mailaccounts.crypto import Secret

if TYPE_CHECKING:
    from collections.abc import Mapping

SHORTEST = 8  # no provider makes shorter ones; most have 16 letters


class AppPasswordForm(forms.Form):
    app_password = forms.CharField(
        label=_("App password"),
        max_length=1024,
        help_text=_(
            "Your provider makes one for a single program: in the security settings of your account there, often only "
            "once two-step sign-in is on. Spaces in it don't matter."
        ),
        # A browser must not offer the account's own password, which is just what isn't wanted here.
        widget=forms.PasswordInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )

    def clean_app_password(self) -> str:
        """Without the spaces, of any kind, that providers show between groups and browsers copy along."""
        text = "".join(self.cleaned_data["app_password"].split())
        if len(text) < SHORTEST:
            raise forms.ValidationError(
                _("This is too short for an app password. Copy all of it, as your provider shows it."), code="short"
            )
        return text


class AppPasswordBackend(FormBackend):
    slug = "app_password"
    label = "App password"
    form_class = AppPasswordForm

    def accept(self, cleaned: Mapping[str, Any]) -> Secret:
        return Secret(cleaned["app_password"])

    def authenticator(self, username: str, secret: Secret, tokens: TokenSource) -> PasswordAuthenticator:
        return PasswordAuthenticator(username, secret)
