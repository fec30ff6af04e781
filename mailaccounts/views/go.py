"""The link of a notice: to exactly the step that it asks for, and a sentence where that leads nowhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import messages
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET

from mailaccounts.errors import NoticeError, NoticeSettled
from mailaccounts.services.telling import notices
from mailaccounts.views import describe
from mailaccounts.views.access import private

if TYPE_CHECKING:
    from django.http import HttpResponse

    from mailaccounts.views.access import Request


@private
@require_GET
def go(request: Request, token: str) -> HttpResponse:
    """Leads the account's owner to the step. Looking at it changes nothing, and a colleague learns of no account."""
    try:
        need = notices.open_link(token, user=request.user)
    except NoticeSettled as error:
        messages.success(request, describe.Problem.of(error).sentence)
        return redirect("mailaccounts:account", error.facts["account"])
    except NoticeError as error:
        context = {"problem": describe.Problem.of(error)}
        return render(request, "mailaccounts/notice.html", context, status=404)
    return redirect(need.path)
