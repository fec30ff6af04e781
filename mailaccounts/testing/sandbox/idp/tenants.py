"""Tenants in URLs: the directory's id, its domains, or the names shared by all directories."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.http import HttpResponse, JsonResponse

from mailaccounts.testing.sandbox.idp.shapes import Problem, shape_of
from mailaccounts.testing.sandbox.idp.shapes.entra import known_tenant

if TYPE_CHECKING:
    from django.http import HttpRequest


class TenantMixin:
    """A view of one of the providers; below ``/<tenant>/`` the tenant has to be there."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not known_tenant(kwargs.get("tenant", "common")):
            return JsonResponse(shape_of(request).error(Problem(error="invalid_tenant", code=90002)), status=400)
        response: HttpResponse = super().dispatch(request, *args, **kwargs)  # type: ignore[misc]  # a mixin over View
        return response
