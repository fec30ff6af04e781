"""Campaigns: who can move, the board of those who do, and its buttons. For staff who may move other people's accounts.

They see addresses, owners and states, and no mail.
"""

from __future__ import annotations

import csv
import logging
from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_http_methods

from mailaccounts.conf import settings
from mailaccounts.errors import MailAccountsError
from mailaccounts.forms.campaign import CampaignForm
from mailaccounts.models import MigrationRun
from mailaccounts.rules.cells import harmless
from mailaccounts.rules.migration_states import MigrationState
from mailaccounts.services.campaigns import campaign, readiness
from mailaccounts.services.campaigns.readiness import Way
from mailaccounts.views import board as boards
from mailaccounts.views import describe
from mailaccounts.views.access import administrators, careful
from mailaccounts.views.parts import page_or_part

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from mailaccounts.services.campaigns.readiness import Readiness
    from mailaccounts.views.access import Request

SHOWN = 500  # accounts in the table of those who can move

logger = logging.getLogger(__name__)


@administrators
@require_GET
def campaigns(request: Request) -> HttpResponse:
    """Every campaign with how far it is."""
    return render(request, "mailaccounts/campaigns.html", {"campaigns": boards.overview()})


@administrators
@careful  # on the way in, so that nothing that was filled in is lost
@require_http_methods(["GET", "POST"])
def new(request: Request) -> HttpResponse:
    """Chooses accounts; POSTed, shows which of them can move and how, and with ``create`` begins a campaign."""
    form = CampaignForm(request.POST or None, accounts=request.GET.getlist("account"))
    context: dict[str, Any] = {"form": form, "site_url": settings.site_url}
    if request.method == "POST" and form.is_valid():
        chosen = form.selection()
        accounts = chosen.accounts()
        found = readiness.judge(accounts, app_only=form.is_app_only, client=form.cleaned_data["client"])
        if "create" in request.POST:
            try:
                run = campaign.create(found, user=request.user, **form.plan(request.POST.getlist("pilot")))
            except MailAccountsError as error:
                context["problem"] = describe.Problem.of(error)
            else:
                logger.info("campaign %s was created by user %s", run.pk, request.user.pk)
                return redirect("mailaccounts:campaign", run.pk)
        context |= _ready(found) | {"unknown": chosen.unknown(accounts), "pilot": request.POST.getlist("pilot")}
    return render(request, "mailaccounts/new_campaign.html", context)


@administrators
@require_http_methods(["GET", "POST"])
def board(request: Request, run: UUID) -> HttpResponse:
    """The board; for htmx only the part that moves. POST ``action`` presses one of its buttons."""
    found = _campaign(run)
    if request.method == "POST":
        _press(request, found)
        return redirect("mailaccounts:campaign", found.pk)
    state, page = request.GET.get("state", ""), request.GET.get("page", "")
    steps = boards.page_of(found, state=state, number=page)
    context = {
        "board": boards.of(found),
        "run": found,
        "steps": steps,
        "rows": boards.rows(steps.object_list),
        "state": state if state in list(MigrationState) else "",
    }
    return page_or_part(request, "campaign", "campaign_board", context)


@administrators
@require_GET
def export(request: Request, run: UUID) -> HttpResponse:
    """The board as CSV, with nothing in it that a spreadsheet would run."""
    found = _campaign(run)
    response = HttpResponse(content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="campaign-{found.pk}.csv"'
    writer: csv.DictWriter[str] | None = None
    for line in boards.exported(found):
        if writer is None:
            writer = csv.DictWriter(response, list(line))
            writer.writeheader()
        writer.writerow({name: harmless(cell) for name, cell in line.items()})
    return response


def _campaign(run: UUID) -> MigrationRun:
    """404 also for a migration that its owner began: that is theirs."""
    found: MigrationRun = get_object_or_404(
        MigrationRun.objects.select_related("client", "created_by"), pk=run, by_owner=False
    )
    return found


def _ready(found: list[Readiness]) -> dict[str, Any]:
    """Who can move, for the page: first those where something is in the way."""
    order = {Way.CANNOT: 0, Way.OWNER: 1, Way.AT_ONCE: 2}
    shown = sorted(found, key=lambda each: (order[each.way], each.account.address))[:SHOWN]
    return {
        "ready": [(each, describe.backend_label(each.before)) for each in shown],
        "more": len(found) - len(shown),
        "total": len(found),
        "numbers": {way.value: sum(each.way is way for each in found) for way in Way},
    }


def _press(request: Request, run: MigrationRun) -> None:
    """One of the board's buttons; what it did is said on the page that follows."""
    action = request.POST.get("action", "")
    press = BUTTONS.get(action)
    if press is None:
        return
    number, words = press(run, request.user)
    logger.info("campaign %s: user %s pressed %s, for %d accounts", run.pk, request.user.pk, action, number)
    messages.info(request, words.format(number=number, accounts="account" if number == 1 else "accounts"))


GOING_BACK = "Rolling back {number} {accounts}."
BUTTONS: dict[str, Callable[[MigrationRun, Any], tuple[int, str]]] = {
    "start_pilot": lambda run, _: (
        campaign.start(run, pilot_only=True),
        "The pilot group starts: {number} {accounts}.",
    ),
    "start_rest": lambda run, _: (
        campaign.start(run, pilot_only=False),
        "The move starts for {number} {accounts}.",
    ),
    "pause": lambda run, _: (int(campaign.pause(run)), "The campaign is paused."),
    "go_on": lambda run, _: (int(campaign.go_on(run)), "The campaign goes on."),
    "retry": lambda run, _: (campaign.retry(run), "{number} {accounts} will be tried again."),
    "ask_owners": lambda run, _: (campaign.ask_owners(run), "The owners of {number} {accounts} are invited."),
    "cancel": lambda run, _: (campaign.cancel(run), "{number} {accounts} won't move; nothing changes for them."),
    "roll_back_pilot": lambda run, user: (campaign.roll_back(run, actor=user, pilot_only=True), GOING_BACK),
    "roll_back": lambda run, user: (campaign.roll_back(run, actor=user), GOING_BACK),
}
