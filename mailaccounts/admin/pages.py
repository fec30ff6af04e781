"""What the admin's pages of our own have in common."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import Http404
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from django.http import HttpRequest, HttpResponse

VERDICTS = {"ok": "OK", "failed": "Failed", "skipped": "Not tried", "unknown": "Not known"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownStep:
    """A step of something that was tried, in sentences of ours: ``about`` is what it was tried with, ``told`` what was
    found, in a line."""

    name: str
    title: str
    status: str
    milliseconds: int
    about: str = ""
    sentence: str = ""
    told: str = ""
    next_step: str = ""
    code: str = ""

    @property
    def verdict(self) -> str:
        return VERDICTS[self.status]


def render(model_admin: Any, request: HttpRequest, name: str, **context: Any) -> HttpResponse:
    """Our template ``name``, within what the admin has around the pages of a model."""
    around = {**model_admin.admin_site.each_context(request), "opts": model_admin.opts, "media": model_admin.media}
    return TemplateResponse(request, f"admin/mailaccounts/{name}.html", around | context)


def found(rows: QuerySet[Any], key: str) -> Any:
    """The row with this ``key``, as an address or a form names it; Http404 as well for what is no key."""
    try:
        return get_object_or_404(rows, pk=key)
    except (ValidationError, ValueError):
        raise Http404 from None


def tell(request: HttpRequest, count: int, *, one: str, many: str, none: str) -> None:
    """Says what came of an action with ``count`` rows, in the sentence that fits: ``many`` has "{}" for how many, and
    ``none`` says why nothing was done."""
    words = many.format(count) if count > 1 else one if count else none
    messages.add_message(request, messages.SUCCESS if count else messages.WARNING, words)
