"""Gives each request an id that its log lines carry, and those of the tasks that it queues."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailaccounts import logs

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http import HttpRequest, HttpResponse

HEADER = "X-Request-ID"


class CorrelationMiddleware:
    """Takes the id from ``X-Request-ID``, if a proxy has sent one, or makes one; the answer has it too. Goes first."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        with logs.correlated(request.headers.get(HEADER, "")) as correlation:
            response = self.get_response(request)
        response[HEADER] = correlation
        return response
