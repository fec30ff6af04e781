"""Forms of the pages. What a backend asks for (a password) has a form of its own, shown beside these."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from django import forms
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from mailaccounts.conf import settings
from mailaccounts.errors import InvalidInput, UnknownHosts
from mailaccounts.mail.types import SCHEMES, Endpoint, Security
from mailaccounts.presets import ProviderPreset, find
from mailaccounts.services.connecting.account_draft import AccountDraft

if TYPE_CHECKING:
    from datetime import date

    from mailaccounts.models import MailAccount
    from mailaccounts.services.connecting.detect import Detection
    from mailaccounts.services.connecting.wish import Wish

SECURITY_CHOICES = [(Security.TLS, _("TLS")), (Security.STARTTLS, _("STARTTLS"))]


class PortField(forms.IntegerField):
    """A port, or nothing for the usual one."""

    def __init__(self) -> None:
        super().__init__(label=_("Port"), required=False, min_value=1, max_value=65535)


class SecurityField(forms.ChoiceField):
    def __init__(self) -> None:
        super().__init__(label=_("Security"), required=False, choices=SECURITY_CHOICES, initial=Security.TLS)


class SmtpForm(forms.Form):
    """The server to send through."""

    smtp_host = forms.CharField(label=_("SMTP server"), max_length=253)
    smtp_port, smtp_security = PortField(), SecurityField()

    def endpoint(self) -> Endpoint | None:
        return _endpoint(self.cleaned_data, "smtp")


class ConsentForm(forms.Form):
    """What a person may choose before leaving for an identity provider."""

    sends = forms.TypedChoiceField(
        label=_("What for"),
        required=False,
        choices=[("yes", _("Read and send mail")), ("no", _("Only read mail"))],
        coerce=lambda chosen: chosen == "yes",
        empty_value=None,
        widget=forms.RadioSelect(attrs={"class": "form-check-input"}),
    )
    shared = forms.BooleanField(
        label=_("This is a shared mailbox; I sign in as somebody else"),
        required=False,
        help_text=_(
            "Tick it for another address of your own too. You sign in as yourself; we open this mailbox, and what you "
            "send is sent in its name."
        ),
        widget=forms.CheckboxInput(attrs={"class": "form-check-input"}),
    )

    def __init__(self, data: Any = None, *, sends: bool = True) -> None:
        """``sends`` is what is chosen unless somebody chooses otherwise."""
        super().__init__(data, initial={"sends": "yes" if sends else "no"})
        self._sends = sends

    def clean_sends(self) -> bool:
        sends: bool | None = self.cleaned_data["sends"]
        return self._sends if sends is None else sends

    def applied_to(self, wish: Wish, *, smtp: Endpoint | None) -> Wish:
        """What was wished for, as chosen; ``smtp`` is the server to send through in that case. InvalidInput."""
        if not self.is_valid():
            raise InvalidInput(what="What was chosen")
        chosen = wish.sending(through=smtp if self.cleaned_data["sends"] else None)
        return replace(chosen, shared=wish.shared or self.cleaned_data["shared"])


class ServersForm(forms.Form):
    """Where a mailbox is read and sent from; empty ports are the usual ones."""

    imap_host = forms.CharField(label=_("IMAP server"), max_length=253)
    imap_port, imap_security = PortField(), SecurityField()
    smtp_host = forms.CharField(
        label=_("SMTP server"), required=False, max_length=253, help_text=_("Leave it empty to only read.")
    )
    smtp_port, smtp_security = PortField(), SecurityField()

    server_fields: ClassVar[set[str]] = {
        f"{protocol}_{part}" for protocol in ("imap", "smtp") for part in ("host", "port", "security")
    }

    @classmethod
    def showing(cls, account: MailAccount) -> ServersForm:
        """With the servers that ``account`` has."""
        return cls(initial={name: getattr(account, name) for name in cls.server_fields})

    @property
    def has_server_errors(self) -> bool:
        return bool(self.server_fields & set(self.errors)) if self.is_bound else False

    def endpoints(self) -> tuple[Endpoint | None, Endpoint | None]:
        """For reading and for sending, None where nothing was entered."""
        return _endpoint(self.cleaned_data, "imap"), _endpoint(self.cleaned_data, "smtp")


class ConnectForm(ServersForm):
    """A mailbox to connect. Servers that are left empty come from the provider's preset, or are asked for."""

    address = forms.EmailField(
        label=_("Email address"),
        max_length=254,
        widget=forms.EmailInput(attrs={"autocomplete": "email", "spellcheck": "false"}),
    )
    imap_host = forms.CharField(label=_("IMAP server"), required=False, max_length=253)
    username = forms.CharField(
        label=_("User name"),
        required=False,
        max_length=320,
        help_text=_("Only if it is not the email address."),
        widget=forms.TextInput(attrs={"autocomplete": "username", "spellcheck": "false"}),
    )
    since = forms.DateField(
        label=_("Bring in mail since"),
        required=False,
        help_text=_("Empty: you are asked before anything is read, and can see what would be stored."),
        widget=forms.DateInput(attrs={"type": "date"}),
    )

    field_order = ("address",)

    @cached_property
    def preset(self) -> ProviderPreset | None:
        """What is known of the provider, by the address."""
        return find(self.cleaned_data["address"], extra=settings.extra_presets)

    @property
    def names_servers(self) -> bool:
        """Whether a valid form says where the mail is read, so that nobody has to look for it."""
        return bool(self.cleaned_data["imap_host"].strip())

    def filled_with(self, found: Detection) -> ConnectForm:
        """The same form with the servers that were found; what was typed stays."""
        data = {name: self.data.get(name, "") for name in self.fields}
        for endpoint in (found.imap, found.smtp):
            if endpoint and not (endpoint.protocol == "smtp" and self.cleaned_data["smtp_host"].strip()):
                data[f"{endpoint.protocol}_host"] = endpoint.host
                data[f"{endpoint.protocol}_port"] = str(endpoint.port)
                data[f"{endpoint.protocol}_security"] = endpoint.security.value
        if found.username != self.cleaned_data["address"] and not self.cleaned_data["username"]:
            data["username"] = found.username
        return ConnectForm(data)

    def settle(self) -> None:
        """Keeps the address as it is from here on: what the page shows is about that one."""
        self.fields["address"].widget.attrs["readonly"] = True

    def clean_since(self) -> date | None:
        since: date | None = self.cleaned_data["since"]
        if since and since > timezone.localdate():
            raise forms.ValidationError(_("This day is still to come."), code="future")
        return since

    def draft(self, *, owner: Any) -> AccountDraft:
        """The account to prove and save; UnknownHosts when neither the user nor a preset names its servers."""
        data = self.cleaned_data
        address = data["address"]
        preset = self.preset
        imap, smtp = self.endpoints()
        if imap is None:
            if preset is None or preset.imap is None:
                raise UnknownHosts(domain=address.rpartition("@")[2])
            imap, smtp = preset.imap, smtp or preset.smtp
        return AccountDraft(
            owner=owner,
            address=address,
            username=data["username"] or (preset.username_for(address) if preset else address),
            imap=imap,
            smtp=smtp,
            since=data["since"],
            begins=data["since"] is not None,
        )


class ReconnectForm(forms.Form):
    """The login name of an account that is connected already."""

    username = forms.CharField(
        label=_("User name"),
        max_length=320,
        widget=forms.TextInput(attrs={"autocomplete": "username", "spellcheck": "false"}),
    )


def _endpoint(data: dict[str, Any], protocol: str) -> Endpoint | None:
    """The server in a form's cleaned data; None when it was left empty."""
    host = data[f"{protocol}_host"].strip()
    if not host:
        return None
    security = Security(data[f"{protocol}_security"] or Security.TLS)
    port = data[f"{protocol}_port"] or _usual_port(protocol, security)
    return Endpoint(protocol=protocol, host=host, port=port, security=security)


def _usual_port(protocol: str, security: Security) -> int:
    return next(port for kind, how, port in SCHEMES.values() if (kind, how) == (protocol, security))


class DisconnectForm(forms.Form):
    """What becomes of the mail that was stored."""

    mail = forms.ChoiceField(
        choices=[("keep", _("Keep it")), ("erase", _("Erase it"))],
        error_messages={"required": _("Choose whether the stored mail is kept or erased.")},
    )

    @property
    def erases(self) -> bool:
        return bool(self.cleaned_data["mail"] == "erase")
