"""Faults on demand: what the control API switched on, and the middleware that lets requests feel it.

One process serves all requests, so the state lives in memory.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from django.http import HttpResponse, JsonResponse

from mailaccounts.testing.sandbox.idp.shapes import Problem, shape_of
from mailaccounts.testing.sandbox.idp.shapes.google import MAIL

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http import HttpRequest

    from mailaccounts.testing.sandbox.idp.shapes import Shape

FOREVER = -1


@dataclass(slots=True, kw_only=True)
class Answer:
    """A prepared answer for the next ``times`` requests; an OAuth error when ``error`` is set, else bare."""

    endpoint: str  # the URL's name: discovery, keys, authorize, token, introspect …; "*" is all of them
    times: int = 1
    status: int = 200
    seconds: float = 0  # waits before answering; status 200 then lets the request through
    retry_after: int | None = None
    error: str = ""
    code: int = 0
    suberror: str = ""
    description: str = ""  # instead of the provider's usual one

    def fits(self, endpoint: str) -> bool:
        return self.times != 0 and self.endpoint in (endpoint, "*") and endpoint != "control"

    def response(self, shape: Shape) -> HttpResponse:
        response: HttpResponse
        if self.error:
            problem = Problem(error=self.error, code=self.code, suberror=self.suberror, description=self.description)
            response = JsonResponse(shape.error(problem), status=self.status)
        else:
            response = HttpResponse("Fault on demand.\n", content_type="text/plain", status=self.status)
        if self.retry_after is not None:
            response["Retry-After"] = str(self.retry_after)
        return response


@dataclass(slots=True)
class Faults:
    """Everything that is switched on."""

    answers: list[Answer] = field(default_factory=list)
    clock_skew: int = 0  # seconds the provider's clock is ahead (or behind) in what it issues
    token_lifetime: int | None = None  # seconds; None is the usual hour
    claims: dict[str, Any] = field(default_factory=dict)  # replaces claims of ID tokens
    withheld: set[str] = field(default_factory=set)  # scopes and roles (by the end of their names) that aren't granted
    consented: bool = True  # Entra's administrator has allowed the application its roles
    delegated: set[str] = field(default_factory=lambda: {MAIL})  # scopes Google's service account has in users' names
    response_issuer: str | None = None  # replaces "iss" of the authorization response
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, endpoint: str) -> Answer | None:
        """The answer prepared for this request, counted down."""
        with self._lock:
            for answer in self.answers:
                if answer.fits(endpoint):
                    answer.times -= 1 if answer.times > 0 else 0
                    return answer
        return None

    def prepare(self, answer: Answer) -> None:
        with self._lock:
            self.answers.append(answer)

    def reset(self) -> None:
        with self._lock:
            self.answers.clear()
        self.clock_skew, self.token_lifetime = 0, None
        self.claims, self.withheld, self.delegated = {}, set(), {MAIL}
        self.response_issuer, self.consented = None, True

    def granted(self, scopes: list[str]) -> list[str]:
        return [scope for scope in scopes if not any(scope.endswith(name) for name in self.withheld)]


faults = Faults()


class FaultMiddleware:
    """Gives a prepared answer instead of the real one, or gives the real one late."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(self, request: HttpRequest, view: object, args: object, kwargs: object) -> HttpResponse | None:
        match = request.resolver_match
        answer = faults.take(match.url_name or "") if match else None
        if answer is None:
            return None
        time.sleep(answer.seconds)
        return answer.response(shape_of(request)) if answer.status != 200 else None
