"""What is attached to messages, and the pictures in them: as a download, or shown if it is proven to be a picture."""

from __future__ import annotations

import logging
import mimetypes
from contextlib import closing
from typing import TYPE_CHECKING

from django.http import Http404, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils.http import content_disposition_header
from django.views.decorators.http import require_GET

from mailaccounts import selectors
from mailaccounts.errors import MailAccountsError, TooManyAttempts
from mailaccounts.mail.pictures import picture_type
from mailaccounts.services.inbox import attached, pictures
from mailaccounts.services.trail import looks
from mailaccounts.views.access import private
from mailaccounts.views.describe import Problem

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from django.http import HttpRequest
    from django.http.response import HttpResponseBase

    from mailaccounts.models import Attachment
    from mailaccounts.views.access import Request

logger = logging.getLogger(__name__)

LOCKED = {  # whatever it turns out to be, a browser runs nothing of it and takes it for nothing else
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
}

TOO_MANY = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="320" height="40" role="img" aria-label="Too many pictures">'
    '<rect width="320" height="40" fill="#f6f8fb"/><text x="10" y="25" font-family="sans-serif" font-size="14"'
    ' fill="#374151">Too many pictures at once: reload to see this one.</text></svg>'
)


@private
@require_GET
def attachment(request: Request, pk: int) -> HttpResponseBase:
    """An attachment, as it comes from the mailbox: to keep; with ``?show`` to look at, if it is a picture."""
    found = get_object_or_404(selectors.attachments_for(request.user), pk=pk)
    looks.note(found.message, viewer=request.user, why="Opened an attachment")
    pieces = attached.read(found)
    try:
        first = next(pieces, b"")
    except MailAccountsError as error:
        context = {"attachment": found, "problem": Problem.of(error)}
        return render(request, "mailaccounts/not_opened.html", context, status=503)
    shown = picture_type(first) if "show" in request.GET else ""
    response = StreamingHttpResponse(_all_of(first, pieces), content_type=shown or "application/octet-stream")
    disposition = content_disposition_header(not shown, _file_name(found))
    return _locked(response, {"Content-Disposition": disposition or "attachment"})


@require_GET
def picture(request: HttpRequest, signed: str) -> HttpResponseBase:
    """A picture within a message. Its frame belongs to nobody, so that no session comes with the question: who may see
    it is in its address, which is signed and good for an hour or two. 429, as a picture that says so, while too many
    are under way."""
    try:
        found = pictures.find(signed)
    except TooManyAttempts:
        later = HttpResponse(TOO_MANY, content_type="image/svg+xml", status=429)
        return _locked(later, {"Cache-Control": "no-store", "Retry-After": str(pictures.SECONDS)})
    except MailAccountsError as error:
        logger.info("a picture can't be had: %s", error.code)
        found = None
    if found is None:
        raise Http404
    kept = f"private, max-age={pictures.PERIOD}"
    response = HttpResponse(found.content, content_type=found.content_type)
    return _locked(response, {"Cache-Control": kept if found.keeps else "no-store"})


def _all_of(first: bytes, others: Generator[bytes, None, None]) -> Iterator[bytes]:
    """All pieces; the mailbox is left as soon as nobody wants any more of them."""
    with closing(others):
        yield first
        yield from others


def _locked(response: HttpResponseBase, more: dict[str, str]) -> HttpResponseBase:
    for name, value in (LOCKED | more).items():
        response[name] = value
    return response


def _file_name(attachment: Attachment) -> str:
    return attachment.name or f"attachment{mimetypes.guess_extension(attachment.content_type) or ''}"
