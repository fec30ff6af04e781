"""Entra's page where an administrator allows an application what it does by itself ("Admin consent on the identity
platform" in its documents)."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlencode

from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.views import View
from oauth2_provider.models import Application

from mailaccounts.testing.sandbox.idp.accounts import find
from mailaccounts.testing.sandbox.idp.faults import faults
from mailaccounts.testing.sandbox.idp.pages import query_of, url_of
from mailaccounts.testing.sandbox.idp.shapes import shape_of
from mailaccounts.testing.sandbox.idp.shapes.entra import APP_ROLES, description
from mailaccounts.testing.sandbox.idp.task import published
from mailaccounts.testing.sandbox.idp.tenants import TenantMixin
from mailaccounts.testing.sandbox.idp.validators import redirect_allowed

if TYPE_CHECKING:
    from django.http import HttpRequest


class AdminConsent(TenantMixin, View):
    """Sign-in first; then an administrator accepts or declines for the whole directory, and nobody else can."""

    def get(self, request: HttpRequest, tenant: str) -> HttpResponse:
        refused = self._refused(request)
        if refused:
            return refused
        if not request.user.is_authenticated:
            return HttpResponseRedirect(url_of(request, "signin", {**query_of(request), "then": "adminconsent"}))
        return self._page(request)

    def post(self, request: HttpRequest, tenant: str) -> HttpResponse:
        refused = self._refused(request)
        if refused or not self._is_administrator(request):
            return refused or self._page(request)
        answer = {"admin_consent": "True", "tenant": published().tenant, "state": request.GET.get("state", "")}
        if "allow" in request.POST:
            faults.consented = True
            answer |= {"scope": request.GET.get("scope", "")}
        else:
            answer |= {"error": "consent_required", "error_description": description(65004)}
        return HttpResponseRedirect(f"{request.GET['redirect_uri']}?{urlencode(answer)}")

    @staticmethod
    def _refused(request: HttpRequest) -> HttpResponse | None:
        """The error page for a client or a redirect URI that isn't registered."""
        application = Application.objects.filter(client_id=shape_of(request).client.client_id).get()
        known = request.GET.get("client_id") == application.client_id
        if known and redirect_allowed(application, request.GET.get("redirect_uri", "")):
            return None
        return render(request, "problem.html", {"error": {"error": "invalid_request"}}, status=400)

    @staticmethod
    def _is_administrator(request: HttpRequest) -> bool:
        person = find(request.user.get_username())
        return person is not None and person.is_admin

    def _page(self, request: HttpRequest) -> HttpResponse:
        context = {
            "client_id": shape_of(request).client.client_id,
            "roles": APP_ROLES.values(),
            "is_administrator": self._is_administrator(request),
        }
        return render(request, "admin_consent.html", context)
