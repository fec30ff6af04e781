"""What the templates need beyond Django's own tags."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms, template
from django.utils.timesince import timesince

from mailaccounts import selectors
from mailaccounts.models import (
    AccountStatus,
    MailAccount,
    Message,
    Outgoing,
    OutgoingState,
    Shown,
    Visibility,
)
from mailaccounts.services.trail import break_glass

if TYPE_CHECKING:
    from datetime import datetime

    from django.forms import BoundField
    from django.utils.safestring import SafeString

register = template.Library()

COLOURS = {
    AccountStatus.NEW: "blue",
    AccountStatus.OK: "green",
    AccountStatus.WAITING: "yellow",
    AccountStatus.NEEDS_OWNER: "red",
    AccountStatus.NEEDS_ADMIN: "red",
    AccountStatus.DISCONNECTED: "blue",
}

OUTGOING_COLOURS = {
    OutgoingState.DRAFT: "blue",
    OutgoingState.QUEUED: "blue",
    OutgoingState.SENDING: "blue",
    OutgoingState.SENT: "green",
    OutgoingState.UNCERTAIN: "yellow",
    OutgoingState.FAILED: "red",
}


@register.filter
def control(field: BoundField) -> SafeString:
    """The field's widget with the class names that Bootstrap and its kin style."""
    is_select = isinstance(field.field.widget, forms.Select)
    names = ["form-select" if is_select else "form-control"]
    if field.errors:
        names.append("is-invalid")
    return field.as_widget(attrs={"class": " ".join(names)})


@register.filter
def status_colour(account: MailAccount) -> str:
    """The colour of the account's badge: the label says the same in words."""
    return COLOURS[AccountStatus(account.status)]


@register.filter
def outgoing_colour(message: Outgoing) -> str:
    """The colour of the badge of a message in the outbox."""
    return "yellow" if message.is_short else OUTGOING_COLOURS[OutgoingState(message.state)]


@register.simple_tag
def undecided(user: Any) -> int:
    """How many of the user's messages in the outbox want to be decided about."""
    return selectors.undecided(user).count()


@register.filter
def person(user: Any) -> str:
    """Who somebody is, whether there is such a user still or not."""
    return break_glass.called(user)


@register.filter
def colleagues_see(message: Message) -> str:
    """What those see of a message with whom its account is shared, in words."""
    if message.shown == Shown.HIDDEN:
        return "nothing of this message"
    if message.shown == Shown.REVEALED or message.account.visibility == Visibility.EVERYTHING:
        return "everything of this message"
    if message.account.visibility == Visibility.SUBJECT:
        return "who takes part in it and its subject"
    return "nothing of this message"


@register.filter
def ago(moment: datetime) -> str:
    """How long ago, in its largest unit: "4 minutes ago", "just now"."""
    words = timesince(moment, depth=1)
    return "just now" if words.startswith("0") else f"{words} ago"


@register.filter
def count(number: int) -> str:
    """A number with its thousands apart."""
    return f"{number:,}"
