"""For a host's own base template: what the user's mailboxes want of them and who looks at them, on every page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import template
from django.urls import reverse

from mailaccounts.models import MailAccount
from mailaccounts.services.telling import needs

if TYPE_CHECKING:
    from mailaccounts.services.telling.needs import Need

register = template.Library()


@register.inclusion_tag("mailaccounts/notices.html", takes_context=True)
def mailaccounts_notices(context: dict[str, Any]) -> dict[str, list[Need]]:
    """What has to be known or done, but for what the page is about already. One query, and one more while staff may
    look at the user's mail; none for whoever isn't signed in."""
    request = context.get("request")
    if request is None or not hasattr(request, "user"):
        return {"needs": []}
    account = context.get("account")  # of a page that tells of one, wherever it is: what comes after connecting it
    return {"needs": [need for need in needs.of_user(request.user) if not _is_about(request.path, account, need)]}


def _is_about(path: str, account: Any, need: Need) -> bool:
    if path == need.path:
        return True
    own_page = reverse("mailaccounts:account", args=[need.account_id])
    same = isinstance(account, MailAccount) and account.pk == need.account_id
    return need.told_there and (same or path.startswith(own_page))
