"""Pages about people coming and going: earlier mail that is looked for, and removing somebody."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods

from crm import contacts, selectors
from crm.models import Company, Contact
from mailaccounts.models import DirectoryChange, Why
from mailaccounts.services.people import forgetting, justified

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http import HttpRequest

Person = TypeVar("Person", Contact, Company)

REMOVED = "removed"  # in the session: the DirectoryChange of whom the user removed last


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


@login_required
@never_cache
@require_http_methods(["GET", "POST"])
def remove_contact(request: HttpRequest, pk: int) -> HttpResponse:
    """Asks, and removes a contact."""
    found = get_object_or_404(Contact.objects.prefetch_related("addresses"), pk=pk)
    return _remove(request, found, contacts.remove_contact)


@login_required
@never_cache
@require_http_methods(["GET", "POST"])
def remove_company(request: HttpRequest, pk: int) -> HttpResponse:
    """Asks, and removes a company with its domains; not its contacts."""
    return _remove(request, get_object_or_404(Company, pk=pk), contacts.remove_company)


@login_required
@never_cache
@require_http_methods(["GET", "POST"])
def left_behind(request: HttpRequest) -> HttpResponse:
    """How much mail is stored only because of whom the user removed last; POST has it erased."""
    change = DirectoryChange.objects.filter(pk=request.session.get(REMOVED, 0), added=False).first()
    if change is None:
        return redirect("contacts")
    if request.method == "POST":
        if request.POST.get("change") != str(change.pk):  # in another tab
            messages.info(
                request, "You have removed somebody else since: now it is about them, and nothing is erased."
            )
            return redirect("left_behind")
        erasing = forgetting.begin(change.patterns, why=Why.REMOVED, asked_by=request.user)
        del request.session[REMOVED]
        return redirect("mailaccounts:erasing", erasing.pk)
    names = [each.removeprefix("@") for each in change.patterns]
    found = justified.count(change.patterns)
    return render(request, "crm/left_behind.html", {"change": change, "names": names, "found": found})


def left_behind_by(request: HttpRequest, change: DirectoryChange | None) -> HttpResponse | None:
    """The way to what that left behind in the store; None when that is nothing."""
    if change is None or justified.count(change.patterns).is_nothing:
        return None
    request.session[REMOVED] = change.pk
    return redirect("left_behind")


def _remove(request: HttpRequest, whose: Person, remove: Callable[[Person], DirectoryChange | None]) -> HttpResponse:
    if request.method == "GET":
        return render(request, "crm/remove.html", {"whose": whose})
    change = remove(whose)
    messages.success(request, f"{whose.name} is removed.")
    return left_behind_by(request, change) or redirect("contacts")


def _looking(request: HttpRequest, whose: Contact | Company) -> HttpResponse:
    """Has the page loaded again once there is nothing to wait for: what was found is on the timeline."""
    looking = selectors.looking(whose)
    if looking is None or looking.is_over:
        return HttpResponse(headers={"HX-Refresh": "true"})
    return render(request, "crm/looking.html", {"whose": whose, "looking": looking})
