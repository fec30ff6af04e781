"""What the pages of signing in need beyond allauth's tags."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import template

from crm.sign_in.identities import Identity, identities_of
from crm.sign_in.mailboxes import MailboxOffer, offers_for

if TYPE_CHECKING:
    from django.template import Context

register = template.Library()


@register.simple_tag(takes_context=True)
def identities(context: Context) -> list[Identity]:
    """The identities that the signed-in user has linked."""
    request: Any = context["request"]
    return identities_of(request.user)


@register.simple_tag(takes_context=True)
def mailbox_offers(context: Context) -> list[MailboxOffer]:
    """The mailboxes that the signed-in user could connect with one consent."""
    request: Any = context["request"]
    return offers_for(request.user)
