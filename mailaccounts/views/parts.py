"""Pages of which htmx asks for a part alone, at the same address."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.shortcuts import render
from django.utils.cache import patch_vary_headers

if TYPE_CHECKING:
    from django.http import HttpResponse

    from mailaccounts.views.access import Request


def page_or_part(request: Request, page: str, part: str, context: dict[str, Any]) -> HttpResponse:
    """The template ``page``, or for htmx the one with its ``part`` that changes."""
    response = render(request, f"mailaccounts/{part if request.htmx else page}.html", context)
    patch_vary_headers(response, ["HX-Request"])
    return response
