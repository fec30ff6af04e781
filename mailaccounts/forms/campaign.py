"""The form that a campaign begins with: which accounts, to what, with which registration, who goes first."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from django import forms
from django.db.models import Q, Value
from django.db.models.functions import Lower, StrIndex, Substr
from django.utils.translation import gettext_lazy as _

from mailaccounts.backends.registry import backends
from mailaccounts.conf import settings
from mailaccounts.models import MailAccount, OAuthClient, TenantAccess
from mailaccounts.presets import for_mailbox
from mailaccounts.services.campaigns.campaign import Selection
from mailaccounts.services.consents.consent import backend_slug
from mailaccounts.services.organisations import apponly
from mailaccounts.services.registering import clients

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from django.db.models import QuerySet

ANY = ("", _("Any"))
MOST_ADDRESSES = 5000
NUMBER = re.compile(r"[0-9]{1,18}")


class CampaignForm(forms.Form):
    """``client`` is a registration, ``to`` a backend. At least one part has to choose accounts."""

    name = forms.CharField(label=_("Name"), required=False, max_length=80)
    client = forms.ModelChoiceField(label=_("Moves to"), queryset=OAuthClient.objects.none(), empty_label=None)
    to = forms.ChoiceField(label=_("Who consents"), choices=lambda: list(_ways_to_consent()))
    provider = forms.ChoiceField(label=_("Provider"), required=False, choices=lambda: [ANY, *_providers()])
    domain = forms.CharField(label=_("Domain"), required=False, max_length=253)
    backend = forms.ChoiceField(label=_("Signs in with"), required=False, choices=lambda: [ANY, *_backends()])
    addresses = forms.CharField(
        label=_("Or these addresses"),
        required=False,
        max_length=MOST_ADDRESSES * 60,
        widget=forms.Textarea(attrs={"rows": 3, "spellcheck": "false"}),
        help_text=_("One on each line, or with spaces or commas between them."),
    )
    random_pilots = forms.IntegerField(
        label=_("Others, at random"), required=False, min_value=0, max_value=MOST_ADDRESSES
    )

    def __init__(self, data: Any = None, *, accounts: Sequence[str] = ()) -> None:
        """``accounts`` are the numbers of those that somebody has chosen already."""
        chosen = MailAccount.objects.filter(pk__in=[int(each) for each in accounts if NUMBER.fullmatch(each)])
        addresses = chosen.order_by("address").values_list("address", flat=True) if accounts else ()
        super().__init__(data, initial={"addresses": "\n".join(addresses)})
        client: forms.ModelChoiceField[OAuthClient] = self.fields["client"]  # type: ignore[assignment]  # as declared above
        client.queryset = _registrations()

    @property
    def is_app_only(self) -> bool:
        return bool(self.cleaned_data["to"] == apponly.backend_slug())

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or self.cleaned_data
        if not any(data.get(name) for name in ("provider", "domain", "backend", "addresses")):
            raise forms.ValidationError(_("Say which accounts: none is chosen yet."), code="nothing_chosen")
        return data

    def selection(self) -> Selection:
        data = self.cleaned_data
        return Selection(
            provider=data["provider"],
            domain=data["domain"],
            backend=data["backend"],
            addresses=tuple(filter(None, re.split(r"[\s,;<>]+", data["addresses"]))),
        )

    def plan(self, pilot: Sequence[str]) -> dict[str, Any]:
        """What ``services.campaigns.campaign.create`` wants to know."""
        data = self.cleaned_data
        return {
            "name": data["name"],
            "to": data["to"],
            "client": data["client"],
            "pilot": {int(each) for each in pilot if NUMBER.fullmatch(each)},
            "random_pilots": data["random_pilots"] or 0,
        }


def _ways_to_consent() -> Iterable[tuple[str, Any]]:
    if slug := backend_slug():
        yield slug, _("Each owner, invited by mail")
    if slug := apponly.backend_slug():
        yield slug, _("The organisation's administrator, once for all; owners where that isn't on")


def _providers() -> list[tuple[str, str]]:
    """The providers of the mailboxes there are, by their domains and servers: these are few."""
    domain = Lower(Substr("address", StrIndex("address", Value("@"))))
    seen = MailAccount.objects.annotate(domain=domain).order_by().values_list("domain", "imap_host").distinct()
    extra = settings.extra_presets
    found = {preset for name, host in seen if (preset := for_mailbox(name, host, extra=extra))}
    return sorted(((preset.slug, preset.label) for preset in found), key=lambda each: each[1].lower())


def _registrations() -> QuerySet[OAuthClient]:
    """Those that people can be sent with, and those that an organisation lets in."""
    offered = [client.pk for client in clients.offered()]
    lets_in = TenantAccess.objects.filter(is_on=True).values("client")
    return OAuthClient.objects.filter(Q(pk__in=offered) | Q(pk__in=lets_in)).order_by("name")


def _backends() -> list[tuple[str, Any]]:
    return [(slug, each.label) for slug, each in backends().items()]
