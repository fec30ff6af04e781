"""Settings → Email accounts → an account that nothing is read of yet: how far back, and what that would store."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from django.contrib import messages
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from mailaccounts.forms.depth import BeginForm
from mailaccounts.hooks import hooks
from mailaccounts.models import AccountStatus, Ending, MailAccount, Preview
from mailaccounts.services.connecting.begin import begin as begin_reading
from mailaccounts.services.syncing import preview as previewing
from mailaccounts.views.access import managed_account, private
from mailaccounts.views.parts import page_or_part

if TYPE_CHECKING:
    from typing import Any

    from django.http import HttpResponse

    from mailaccounts.views.access import Request

PATIENCE = timedelta(minutes=5)  # after which a preview that no worker has is not to be expected any more


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A contact and the messages that they take part in; ``name`` is "" where the host has none."""

    name: str
    address: str
    messages: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A preview as the page shows it. ``busy`` while it is counted, ``progress`` says how far it is; ``lost`` when
    nobody counts it any more. ``others`` are the contacts that are not among the ``rows``."""

    preview: Preview
    rows: list[Row]
    others: int
    busy: bool
    progress: str
    lost: bool
    complete: bool
    stopped: bool


@private
@require_http_methods(["GET", "POST"])
def begin(request: Request, pk: int) -> HttpResponse:
    """Asks how far back mail is wanted. POST counts what that would store (``preview``), or begins the first sync; for
    htmx only the part that changes while it is counted."""
    account = managed_account(request, pk)
    if account.begun or account.status == AccountStatus.DISCONNECTED:
        return redirect("mailaccounts:account", account.pk)
    preview = Preview.objects.filter(account=account).first()
    form = BeginForm(request.POST or None, preview=preview)
    if request.method == "POST" and form.is_valid():
        if "preview" in request.POST:
            previewing.ask(account, since=form.day)
            return redirect("mailaccounts:begin", account.pk)
        if begin_reading(account, since=form.day):
            messages.success(request, "Saved. Mail is brought in, the newest first.")
        return redirect("mailaccounts:account", account.pk)
    shown = _shown(account, preview, user=request.user) if preview else None
    return page_or_part(request, "begin", "preview", {"account": account, "form": form, "shown": shown})


def _shown(account: MailAccount, preview: Preview, *, user: Any) -> Shown:
    now = timezone.now()
    running = account.lease_until is not None and account.lease_until > now
    busy = not preview.ended and (running or now - preview.asked_at < PATIENCE)
    names = hooks().names_of(user, [address for address, _ in preview.people])
    return Shown(
        preview=preview,
        rows=[Row(name=names.get(each, ""), address=each, messages=count) for each, count in preview.people],
        others=preview.known - len(preview.people),
        busy=busy,
        progress=(account.stage or "Reading headers…") if running else "Waiting for a worker…",
        lost=not preview.ended and not busy,
        complete=preview.ended == Ending.COMPLETE,
        stopped=preview.ended == Ending.LONG_ENOUGH,
    )
