"""The link of an invitation: into the switch for whom it is meant, a sentence for everybody else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET

from mailaccounts.errors import InvitationError, InvitationExpired, InvitationReplaced, InvitationUsed
from mailaccounts.services.campaigns import invitations
from mailaccounts.views import describe
from mailaccounts.views.access import private

if TYPE_CHECKING:
    from django.http import HttpResponse

    from mailaccounts.views.access import Request


@private
@require_GET
def invitation(request: Request, token: str) -> HttpResponse:
    """Leads the account's owner to the switch. Looking at it changes nothing, and a colleague learns of no account."""
    try:
        step = invitations.open_link(token, user=request.user)
    except InvitationError as error:
        context = {
            "problem": describe.Problem.of(error),
            "account": error.facts.get("account"),  # of its owner, who may know
            "is_done": isinstance(error, InvitationUsed),
            "can_switch": isinstance(error, (InvitationExpired, InvitationReplaced)),
        }
        status = 410 if context["account"] else 404
        return render(request, "mailaccounts/invitation.html", context, status=status)
    return redirect("mailaccounts:switch", step.account_id)
