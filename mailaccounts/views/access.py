"""What every view starts with: who asks, and whether the account is theirs to see."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any

from django.contrib.auth.decorators import login_required
from django.http import Http404
from django.shortcuts import get_object_or_404
from django.views.decorators.cache import never_cache

from mailaccounts import selectors
from mailaccounts.hooks import hooks

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http import HttpRequest
    from django.http.response import HttpResponseBase
    from django_htmx.middleware import HtmxDetails

    from mailaccounts.models import MailAccount

    class Request(HttpRequest):
        """A request that passed the middleware the pages need; signed in, behind ``private``."""

        htmx: HtmxDetails
        user: Any

    View = Callable[..., HttpResponseBase]

KEY_DIGITS = 18  # what databases number rows with


def private(view: View) -> View:
    """For signed-in people only, and never kept by a browser or a proxy."""
    wrapped: View = login_required(never_cache(view))
    return wrapped


def careful(view: View) -> View:
    """For pages that change how a mailbox is reached: the host may want to see the password of its own first."""

    @wraps(view)
    def wrapped(request: Request, *args: Any, **kwargs: Any) -> HttpResponseBase:
        return hooks().reauthenticate(request) or view(request, *args, **kwargs)

    return private(wrapped)


def administrators(view: View) -> View:
    """For staff who may move other people's accounts; 404 for anybody else, as if there were no such pages. What is
    POSTed changes how mailboxes are reached, so the host may want to see the password of its own first."""

    @wraps(view)
    def wrapped(request: Request, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not selectors.is_staff_with(request.user, "mailaccounts.change_migrationrun"):
            raise Http404
        asked = hooks().reauthenticate(request) if request.method == "POST" else None
        return asked or view(request, *args, **kwargs)

    return private(wrapped)


def visible_account(request: Request, pk: int) -> MailAccount:
    """The account if the user may see it; 404 otherwise, as if it didn't exist."""
    account: MailAccount = get_object_or_404(selectors.accounts_for(request.user), pk=pk)
    return account


def managed_account(request: Request, pk: int) -> MailAccount:
    """The account if the user may change it; 404 otherwise, as if it didn't exist."""
    account = visible_account(request, pk)
    if not hooks().can_manage(request.user, account):
        raise Http404
    return account


def key_in(text: str) -> int | None:
    """The key that a form names; None for what is none, or larger than any."""
    return int(text) if text.isdecimal() and len(text) <= KEY_DIGITS else None
