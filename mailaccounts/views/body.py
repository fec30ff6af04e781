"""The HTML of a message, as a document for a frame that nothing gets out of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.clickjacking import xframe_options_sameorigin
from django.views.decorators.http import require_GET

from mailaccounts import selectors
from mailaccounts.mail.pictures import pictures_in, show_pictures
from mailaccounts.mail.quotes import fold_html
from mailaccounts.services.inbox import pictures
from mailaccounts.services.trail import looks
from mailaccounts.views.access import private

if TYPE_CHECKING:
    from django.http import HttpResponse

    from mailaccounts.models import Message
    from mailaccounts.views.access import Request

# A link may open a window of its own, which is free of this; nothing else may do anything.
SANDBOX = "allow-popups allow-popups-to-escape-sandbox"


@private
@require_GET
@xframe_options_sameorigin
def body(request: Request, pk: int) -> HttpResponse:
    """What a message says; with ``?pictures`` those from the web are shown as well."""
    found = get_object_or_404(selectors.readable_by(request.user, opened=True), pk=pk)
    looks.note(found, viewer=request.user, why="Read the conversation")
    sources = _sources(request, found, remote="pictures" in request.GET)
    html = fold_html(show_pictures(found.body_html, sources))
    response = render(request, "mailaccounts/body.html", {"message": found, "html": html})
    response["Content-Security-Policy"] = "; ".join(
        (
            "default-src 'none'",
            f"img-src {_place_of_pictures(request)}",
            "style-src 'unsafe-inline'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'self'",
            f"sandbox {SANDBOX}",
        )
    )
    response["Referrer-Policy"] = "no-referrer"
    return response


def _sources(request: Request, message: Message, *, remote: bool) -> list[str]:
    """Where each picture of the message is to come from, "" for those that aren't to be shown."""
    return [
        reverse("mailaccounts:picture", args=[pictures.sign(message, user=request.user, number=number)])
        if address and (remote or not pictures.is_remote(address))
        else ""
        for number, address in enumerate(pictures_in(message.body_html))
    ]


def _place_of_pictures(request: Request) -> str:
    return request.build_absolute_uri(reverse("mailaccounts:picture", args=["x"])).removesuffix("x/")
