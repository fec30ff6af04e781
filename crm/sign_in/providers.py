"""The identity providers people may sign in at, from the settings: those registered, unless SIGN_IN_WITH says less."""

from __future__ import annotations

from typing import TYPE_CHECKING

from allauth.socialaccount.adapter import get_adapter
from django.conf import settings
from django.http import Http404

from mailaccounts.services.registering import clients

if TYPE_CHECKING:
    from django.http import HttpRequest

    from crm.sign_in.identity_provider import IdentityProvider


def offered() -> list[str]:
    """The providers that are offered, in the order of SIGN_IN_WITH."""
    return [slug for slug in settings.SIGN_IN_WITH if clients.is_registered(slug)]


def provider_or_404(request: HttpRequest, slug: str) -> IdentityProvider:
    """An offered provider; 404 for any other."""
    if slug not in offered():
        raise Http404
    provider: IdentityProvider = get_adapter().get_provider(request, slug)
    return provider
