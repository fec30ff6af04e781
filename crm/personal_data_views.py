"""Settings → Personal data: what is stored about a person, for those who answer people's requests."""

from __future__ import annotations

import re
from functools import wraps
from typing import TYPE_CHECKING, Any

from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import Http404, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from crm import personal_data
from crm.personal_data import Person

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http import HttpRequest, HttpResponse, HttpResponseBase

MESSAGES_A_PAGE = 50
MOST_ADDRESSES = 50


def permitted(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """For those with ``crm.handle_personal_data``; 404 for anybody else, as if there were no such pages."""

    @wraps(view)
    def wrapped(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not request.user.has_perm("crm.handle_personal_data"):
            raise Http404
        return view(request, *args, **kwargs)

    return login_required(never_cache(wrapped))


@permitted
@require_http_methods(["GET"])
def personal_data_of(request: HttpRequest) -> HttpResponse:
    """Asks for ``person``, an address or several, and shows what is stored about them."""
    typed = request.GET.get("person", "")
    person = _person(typed)
    context: dict[str, Any] = {"typed": typed, "person": person}
    if person:
        page = Paginator(personal_data.stored(person), MESSAGES_A_PAGE).get_page(request.GET.get("page"))
        context |= {
            "addresses": sorted(person.addresses),
            "mailboxes": personal_data.mailboxes(person),
            "written": person.written.count(),
            "timeline": person.timeline.count(),
            "page": page,
            "rows": list(zip(page, personal_data.described(person, list(page), user=request.user), strict=True)),
        }
    return render(request, "crm/personal_data.html", context)


@permitted
@require_POST
def download(request: HttpRequest) -> HttpResponseBase:
    """The same as a file; the owners of the mailboxes can see that it was made."""
    person = _asked(request)
    personal_data.note_told(person, by=request.user)
    response = StreamingHttpResponse(personal_data.as_json(person, user=request.user), content_type="application/json")
    response["Content-Disposition"] = 'attachment; filename="personal-data.json"'
    return response


@permitted
@require_POST
def erase(request: HttpRequest) -> HttpResponse:
    """Asks once more; with ``confirmed`` erases the person, and with ``bar`` keeps their addresses to bar them."""
    person = _asked(request)
    if "confirmed" not in request.POST:
        context = {"person": person, "addresses": sorted(person.addresses), "found": person.messages.count()}
        return render(request, "crm/erase_person.html", context)
    erasing = personal_data.erase(person, by=request.user, bar="bar" in request.POST)
    return redirect("mailaccounts:erasing", erasing.pk)


def _asked(request: HttpRequest) -> Person:
    person = _person(request.POST.get("person", ""))
    if person is None:
        raise Http404
    return person


def _person(typed: str) -> Person | None:
    """Whose these addresses are, separated by spaces or commas; None where there are none."""
    found = [each for each in re.split(r"[\s,;]+", typed.replace("\0", "")) if "@" in each[1:-1] and each[0] != "@"]
    return Person.known_by(found[:MOST_ADDRESSES]) if found else None
