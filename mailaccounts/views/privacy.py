"""Settings → Email accounts → an account → privacy: what colleagues see of its mail, and whom its owner blocks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import messages
from django.http import Http404
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_http_methods, require_POST

from mailaccounts import selectors
from mailaccounts.forms.privacy import BlockForm, ShownForm, VisibilityForm
from mailaccounts.models import Shown, Visibility
from mailaccounts.services.people import directory
from mailaccounts.services.people import privacy as service
from mailaccounts.views.access import managed_account, private

if TYPE_CHECKING:
    from django.http import HttpResponse

    from mailaccounts.models import MailAccount
    from mailaccounts.views.access import Request

NOW_SHOWN = {
    Shown.HIDDEN: "Colleagues don't see this message any more.",
    Shown.REVEALED: "Colleagues can read this message now.",
    Shown.AS_ACCOUNT: "Colleagues see as much of this message as of the rest of the mailbox.",
}


@private
@require_http_methods(["GET", "POST"])
def privacy(request: Request, pk: int) -> HttpResponse:
    """POST ``visibility`` says what colleagues see, ``pattern`` blocks somebody."""
    account = managed_account(request, pk)
    block = BlockForm(request.POST if "pattern" in request.POST else None)
    sharing = VisibilityForm(None if block.is_bound or request.method == "GET" else request.POST)
    if sharing.is_bound and sharing.is_valid():
        return _share(request, account, Visibility(sharing.cleaned_data["visibility"]))
    if block.is_bound and block.is_valid():
        blocked = service.block(account.owner, block.cleaned_data["pattern"])
        return redirect("mailaccounts:blocked", account.pk, blocked.pk)
    context = {
        "account": account,
        "sharing": sharing,
        "blocking": block,
        "blocked": selectors.blocked_by(account.owner),
        "looked_for": directory.looked_for_by(account.owner),
    }
    return render(request, "mailaccounts/privacy.html", context)


@private
@require_http_methods(["GET", "POST"])
def blocked(request: Request, pk: int, blocked: int) -> HttpResponse:
    """Somebody who is blocked, and how much is stored only because of them. POST ``erase`` has that erased,
    ``unblock`` lets them count again."""
    account = managed_account(request, pk)
    found = get_object_or_404(selectors.blocked_by(account.owner), pk=blocked)
    if "erase" in request.POST:
        return redirect("mailaccounts:erasing", service.erase_blocked(found).pk)
    if "unblock" in request.POST:
        service.unblock(found)
        messages.success(request, f"{found.pattern} isn't blocked any more: if you know them, mail is stored again.")
        return redirect("mailaccounts:privacy", account.pk)
    context = {"account": account, "blocked": found, "stored": service.stored_with(found)}
    return render(request, "mailaccounts/blocked.html", context)


@private
@require_POST
def show_message(request: Request, pk: int) -> HttpResponse:
    """Hides one of the user's own messages from colleagues, or reveals it (``shown``), and goes back (``next``)."""
    own = selectors.own_messages(request.user).select_related("account")
    message = get_object_or_404(own.defer("body_text", "body_html"), pk=pk)
    form = ShownForm(request.POST)
    if form.is_valid():
        shown = Shown(form.cleaned_data["shown"])
        if not service.show(message, shown, actor=request.user):
            raise Http404
        messages.success(request, NOW_SHOWN[shown])
    back = request.POST.get("next", "")
    if back.startswith("/") and url_has_allowed_host_and_scheme(back, allowed_hosts=None):
        return redirect(back)
    return redirect("mailaccounts:privacy", message.account_id)


def _share(request: Request, account: MailAccount, visibility: Visibility) -> HttpResponse:
    if service.share(account, visibility, actor=request.user):
        messages.success(request, "Saved. It goes for all mail of this mailbox, but for messages hidden or revealed.")
    else:
        messages.info(request, "Nothing to do: it is so already.")
    return redirect("mailaccounts:privacy", account.pk)
