"""Gives each request an id that its log lines carry, and those of the tasks that it queues; and has web servers say
which version they run."""

from __future__ import annotations

import logging
import os
import platform
import time
from typing import TYPE_CHECKING

from django.db import DatabaseError, InterfaceError

from mailaccounts import logs
from mailaccounts.services.trail import beats

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http import HttpRequest, HttpResponse

HEADER = "X-Request-ID"
ALIVE_SECONDS = 60.0

logger = logging.getLogger(__name__)


class CorrelationMiddleware:
    """Takes the id from ``X-Request-ID``, if a proxy has sent one, or makes one; the answer has it too. Goes first."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        with logs.correlated(request.headers.get(HEADER, "")) as correlation:
            response = self.get_response(request)
        response[HEADER] = correlation
        return response


class AliveMiddleware:
    """The process gives a sign of life once a minute while people use it, so that one which was left with an older
    version is noticed. Anywhere behind the sessions: what asks for no session, a probe say, asks no database."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response
        self._next = 0.0

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        session = getattr(request, "session", None)  # none where it was answered before there is one
        if session is not None and session.accessed and (now := time.monotonic()) >= self._next:
            self._next = now + ALIVE_SECONDS
            try:
                beats.note(f"{beats.WEB}{platform.node()[:50]} {os.getpid()}")
            except (DatabaseError, InterfaceError) as error:
                logger.error("a web server's sign of life couldn't be noted: %s", type(error).__name__)
        return response
