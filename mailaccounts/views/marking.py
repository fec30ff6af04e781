"""Marks a conversation of one's own: here at once, and then in the mailbox."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.http import Http404
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST

from mailaccounts import selectors
from mailaccounts.models import Act
from mailaccounts.services.inbox import actions
from mailaccounts.views.access import private

if TYPE_CHECKING:
    from django.http import HttpResponse

    from mailaccounts.views.access import Request

MARKS = {Act.READ, Act.UNREAD, Act.FLAG, Act.UNFLAG}


@private
@require_POST
def mark(request: Request, pk: int) -> HttpResponse:
    """Does what ``act`` says; for htmx answers with the buttons as they are now, otherwise leads back to the
    conversation, which takes nothing for read because it is shown again."""
    thread = get_object_or_404(selectors.threads_for(request.user), pk=pk)
    act = request.POST.get("act", "")
    if act not in MARKS:
        raise Http404
    actions.mark(request.user, [thread.pk], Act(act))
    if request.htmx:
        thread = get_object_or_404(selectors.threads_for(request.user), pk=pk)  # unless it was merged meanwhile
        return render(request, "mailaccounts/thread_marks.html", {"thread": thread, "own": True})
    return redirect(reverse("mailaccounts:thread", args=[thread.pk]) + "?as-it-is")
