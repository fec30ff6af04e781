"""Pages about people coming and going: earlier mail that is looked for, and removing somebody."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from crm import selectors
from crm.models import Company, Contact

if TYPE_CHECKING:
    from django.http import HttpRequest


@login_required
@never_cache
@require_GET
def looking_for_contact(request: HttpRequest, pk: int) -> HttpResponse:
    """How far mailboxes are with looking for earlier mail with a contact."""
    return _looking(request, get_object_or_404(Contact, pk=pk))


@login_required
@never_cache
@require_GET
def looking_for_company(request: HttpRequest, pk: int) -> HttpResponse:
    """The same for anybody at a company's domains."""
    return _looking(request, get_object_or_404(Company, pk=pk))


def _looking(request: HttpRequest, whose: Contact | Company) -> HttpResponse:
    """Has the page loaded again once there is nothing to wait for: what was found is on the timeline."""
    looking = selectors.looking(whose)
    if looking is None or looking.is_over:
        return HttpResponse(headers={"HX-Refresh": "true"})
    return render(request, "crm/looking.html", {"whose": whose, "looking": looking})
