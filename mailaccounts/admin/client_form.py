"""The form of an app registration. Secrets go in and never come out: what was typed for them isn't shown again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from django import forms
from django.contrib.admin.widgets import AdminTextareaWidget, AdminTextInputWidget
from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from mailaccounts.admin.secret_field import SecretField
from mailaccounts.conf.faults import is_https
from mailaccounts.errors import MailAccountsError
from mailaccounts.models import ClientProof, OAuthClient
from mailaccounts.oauth import proofs
from mailaccounts.services.registering import clients

if TYPE_CHECKING:
    from collections.abc import Mapping

    _ModelForm = forms.ModelForm[OAuthClient]
else:
    _ModelForm = forms.ModelForm

USUAL_AUTHORITY = {"microsoft": "https://login.microsoftonline.com", "google": "https://accounts.google.com"}
PROOFS = {
    "microsoft": {ClientProof.SECRET, ClientProof.CERTIFICATE},
    "google": {ClientProof.SECRET, ClientProof.SERVICE_ACCOUNT},
}
IDENTITY = ("provider", "authority", "client_id")
"""What makes it this registration: the key of its row, and where its secret and its grants' tokens are sent."""


class ClientForm(_ModelForm):
    """Adds or changes a registration. Where its secret is sent changes only together with the secret, and not at all
    once people have signed in with it: their tokens would be sent there too."""

    provider = forms.ChoiceField(label=_("Provider"))
    tenant = forms.CharField(
        label=_("Tenant"),
        required=False,
        max_length=80,
        widget=AdminTextInputWidget(),
        help_text=_(
            "Microsoft only: your directory's id or one of its domains, “organizations” for any organisation, "
            "“consumers” for Outlook.com, “common” for both."
        ),
    )
    authority = forms.URLField(
        label=_("Authority"),
        required=False,
        max_length=400,
        assume_scheme="https",
        widget=forms.URLInput({"class": "vURLField"}),
        help_text=_(
            "Empty for Microsoft's and Google's usual one. Microsoft's national clouds: "
            "https://login.microsoftonline.us, https://login.partner.microsoftonline.cn. Any other provider: its "
            "issuer, exactly."
        ),
    )
    client_id = forms.CharField(
        label=_("Client ID"),
        required=False,
        max_length=200,
        widget=AdminTextInputWidget(),
        help_text=_("Of a service account it is in the key file, and may be left empty."),
    )
    secret = SecretField(label=_("Secret"))
    new_secret = SecretField(
        label=_("Next secret"),
        help_text=_("Takes over by itself when the provider refuses the one above, which is then destroyed."),
    )
    scopes = forms.CharField(
        label=_("Scopes"),
        required=False,
        widget=AdminTextareaWidget({"rows": 2, "spellcheck": "false"}),
        help_text=_("Separated by spaces. Empty for the usual ones, which are listed below."),
    )

    class Meta:
        model = OAuthClient
        fields = (
            "name",
            "provider",
            "tenant",
            "authority",
            "client_id",
            "proof",
            "secret_expires_on",
            "next_secret_expires_on",
            "scopes",
            "is_active",
            "app_only",
        )
        labels = {
            "name": _("Name"),
            "proof": _("Proves who we are by"),
            "secret_expires_on": _("Secret ends on"),
            "next_secret_expires_on": _("Next secret ends on"),
            "is_active": _("In use"),
            "app_only": _("Access without users (app-only)"),
        }
        help_texts = {
            "name": _("People read it where they choose how to sign in."),
            "proof": _(
                "A client secret; a certificate (Microsoft): one PEM with an RSA key and its certificate; a service "
                "account (Google): the JSON file of its key."
            ),
            "secret_expires_on": _("As the provider's console says; of a certificate it is read from it."),
            "is_active": _("Otherwise nobody is sent to sign in with it; mailboxes connected with it go on."),
            "app_only": _(
                "Lets this installation open mailboxes that an administrator opened to it, without their users. Each "
                "organisation is let in under “Organisations”, and stays off until a mailbox that must stay closed "
                "was tried, and refused."
            ),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        client = self.instance
        self._before = dict(client.__dict__)
        provider = cast("forms.ChoiceField", self.fields["provider"])
        provider.choices = [(slug, each.label) for slug, each in clients.PROVIDERS.items()]
        if client._state.adding:
            return
        self.initial["authority"] = without_tenant(client)
        self.fields["secret"].help_text = _("Empty keeps the one that is there, which is never shown.")
        if client.has_next_secret:
            self.fields["new_secret"].help_text = _("One waits to take over. Empty keeps it.")
        for name in IDENTITY if client.grants.exists() else ():
            self.fields[name].disabled = True
            self.fields[name].help_text = _("Fixed, since mailboxes are connected with it: add another one instead.")

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or {}
        for check in (self._check_kind, self._check_authority, self._check_secrets, self._check_is_new):
            if not self.errors:  # a field that was refused is no longer among the data
                check(data)
        return data

    def save(self, commit: bool = True) -> OAuthClient:
        """With the secrets; what was verified of an earlier one says nothing any more."""
        client, data = self.instance, self.cleaned_data
        if data["secret"]:
            client.client_secret, client.verified_at = data["secret"], None
        if data["new_secret"]:
            client.next_secret = data["new_secret"]
        elif self._is_other_registration:
            client.next_secret = None
        if not client.has_next_secret:
            client.next_secret_expires_on = None
        client.in_settings = False  # or the form would not have been offered
        return super().save(commit=commit)

    @property
    def changed_columns(self) -> list[str]:
        """The columns that differ from what was read: the others may have been changed by a worker meanwhile."""
        now = self.instance.__dict__
        names = [field.attname for field in OAuthClient._meta.concrete_fields]
        return [name for name in names if now.get(name) != self._before.get(name)]

    @property
    def _is_other_registration(self) -> bool:
        """Whether the secret that is kept would be sent elsewhere, or is of another kind than is wanted now."""
        return bool({*IDENTITY, "proof"} & set(self.changed_data))

    def _check_kind(self, data: Mapping[str, Any]) -> None:
        provider, proof = clients.PROVIDERS[data["provider"]], data["proof"]
        if proof not in PROOFS.get(data["provider"], {ClientProof.SECRET}):
            self._refuse("proof", _("%(provider)s doesn't take this kind of proof."), provider=provider.label)
        possible = hasattr(provider, "app_only") and not (
            data["provider"] == "google" and proof != ClientProof.SERVICE_ACCOUNT
        )
        if data["app_only"] and not possible:
            self._refuse("app_only", _("With this provider and this kind of proof there is no access without users."))
        if data["provider"] == "microsoft" and not data["tenant"]:
            self._refuse("tenant", _("Microsoft needs a tenant."))

    def _check_authority(self, data: dict[str, Any]) -> None:
        """Completes the authority with the tenant, and has its host pass the host policy: secrets are sent there."""
        given = data["authority"] or USUAL_AUTHORITY.get(data["provider"], "")
        if not given:
            self._refuse("authority", _("The issuer is needed."))
            return
        if not is_https(given):
            self._refuse("authority", _("It has to be an https address without a query: secrets are sent there."))
            return
        data["authority"] = clients.PROVIDERS[data["provider"]].whole_authority(given, data["tenant"])
        try:
            clients.check_authority(data["authority"])
        except MailAccountsError as error:
            self._refuse("authority", error.message)

    def _check_secrets(self, data: dict[str, Any]) -> None:
        """Reads what was given, and takes from it what it tells by itself."""
        if not data["secret"] and (self.instance._state.adding or self._is_other_registration):
            self._refuse("secret", _("The secret is needed: none is kept, or it was entered for something else."))
            return
        own, following = self._read("secret", data), self._read("new_secret", data)
        if own is not None:
            data["secret_expires_on"] = own.expires_on or data["secret_expires_on"]
            data["client_id"] = data["client_id"] or own.client_id
            if data["secret_expires_on"] and data["secret_expires_on"] < timezone.localdate():
                self._refuse("secret_expires_on", _("This day is over: enter the one on which the new secret ends."))
        if following is not None:
            data["next_secret_expires_on"] = following.expires_on or data["next_secret_expires_on"]
        if not data["client_id"]:
            self._refuse("client_id", _("The client ID is needed."))

    def _check_is_new(self, data: Mapping[str, Any]) -> None:
        same = OAuthClient.objects.filter(**{name: data[name] for name in IDENTITY}).exclude(pk=self.instance.pk)
        if same.exists():
            self._refuse("client_id", _("There is such a registration already."))

    def _read(self, name: str, data: Mapping[str, Any]) -> proofs.Facts | None:
        if not data[name]:
            return None
        try:
            return proofs.read(data["proof"], data[name].reveal_text())
        except ValueError as error:
            self._refuse(name, str(error))
            return None

    def _refuse(self, field: str, why: Any, **facts: Any) -> None:
        self.add_error(field, ValidationError(why, code="invalid", params=facts))


def without_tenant(client: OAuthClient) -> str:
    """The authority as it is typed: where the tenant is a part of it, that has a field of its own."""
    typed = client.authority.removesuffix(f"/{client.tenant}")
    whole = clients.PROVIDERS[client.provider].whole_authority if client.provider in clients.PROVIDERS else None
    return typed if whole and whole(typed, client.tenant) == client.authority else client.authority
