"""Settings → Barred: addresses and domains that never count as contacts, for staff."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from crm import barring
from crm.forms import BarForm
from crm.models import Barred

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http import HttpRequest, HttpResponse


def staff(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """For staff who may bar; 404 for anybody else, as if there were no such pages."""

    @wraps(view)
    def wrapped(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not (request.user.is_staff and request.user.has_perm("crm.add_barred")):
            raise Http404
        return view(request, *args, **kwargs)

    return login_required(never_cache(wrapped))


@staff
@require_http_methods(["GET", "POST"])
def barred(request: HttpRequest) -> HttpResponse:
    """Who is barred. POSTed, says how much stored mail that would erase; with ``confirmed`` bars and erases."""
    form = BarForm(request.POST or None)
    context: dict[str, Any] = {"form": form}
    if request.method == "POST" and form.is_valid():
        pattern = form.cleaned_data["pattern"]
        if "confirmed" in request.POST:
            return redirect("mailaccounts:erasing", barring.bar(pattern, by=request.user).pk)
        context |= {"pattern": pattern, "name": pattern.removeprefix("@"), "found": barring.would_erase(pattern)}
        return render(request, "crm/bar.html", context)
    context |= {"barred": Barred.objects.select_related("by"), "always": settings.CRM_BARRED_DOMAINS}
    return render(request, "crm/barred.html", context)


@staff
@require_POST
def lift(request: HttpRequest, pk: int) -> HttpResponse:
    """Bars somebody no more."""
    found = get_object_or_404(Barred, pk=pk)
    barring.lift(found)
    messages.success(request, f"{found} is barred no more.")
    return redirect("barred")
