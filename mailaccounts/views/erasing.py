"""How far the erasing of mail is that somebody asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.shortcuts import get_object_or_404
from django.views.decorators.http import require_GET

from mailaccounts import selectors
from mailaccounts.views.access import private
from mailaccounts.views.parts import page_or_part

if TYPE_CHECKING:
    from django.http import HttpResponse

    from mailaccounts.views.access import Request


@private
@require_GET
def erasing(request: Request, pk: int) -> HttpResponse:
    """What has been erased so far; for htmx only the part that changes."""
    found = get_object_or_404(selectors.erasings_of(request.user), pk=pk)
    return page_or_part(request, "erasing", "erasing_state", {"erasing": found})
