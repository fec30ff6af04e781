"""For machines that watch over the installation: does the process live, is all there that it needs, its numbers.

Nobody signs in for the first two, which say nothing of anybody; the numbers want the token of the settings.
"""

from __future__ import annotations

from importlib.util import find_spec

from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.utils.crypto import constant_time_compare
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from mailaccounts.conf import settings
from mailaccounts.services.running import ready


@never_cache
@require_safe
def healthz(request: HttpRequest) -> HttpResponse:
    """The process lives."""
    return HttpResponse("ok\n", content_type="text/plain")


@never_cache
@require_safe
def readyz(request: HttpRequest) -> JsonResponse:
    """Whether all is there; 503, and what is wrong in words, when it isn't."""
    wrong = ready.problems()
    return JsonResponse(
        {"ready": not wrong, "problems": wrong, "alarms": ready.alarms()}, status=503 if wrong else 200
    )


@never_cache
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """The numbers for Prometheus; 404 without the token, or where there is none, or no package for it."""
    given = request.headers.get("Authorization", "").removeprefix("Bearer ")
    if not settings.metrics_token or not constant_time_compare(given, settings.metrics_token):
        raise Http404
    if find_spec("prometheus_client") is None:
        raise Http404
    from mailaccounts.services.running.metrics import CONTENT_TYPE_LATEST, exposition

    return HttpResponse(exposition(), content_type=CONTENT_TYPE_LATEST)
