"""What a person sees: sign in, consent, an error, goodbye."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from django.contrib.auth import authenticate, login, logout
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views import View
from oauth2_provider.exceptions import OAuthToolkitError
from oauth2_provider.models import Application, RefreshToken
from oauth2_provider.views import AuthorizationView

from mailaccounts.testing.sandbox.idp.accounts import find
from mailaccounts.testing.sandbox.idp.faults import faults
from mailaccounts.testing.sandbox.idp.shapes import SCOPES, shape_of
from mailaccounts.testing.sandbox.idp.shapes.base import OPENID
from mailaccounts.testing.sandbox.idp.task import published
from mailaccounts.testing.sandbox.idp.tenants import TenantMixin

if TYPE_CHECKING:
    from django.http import HttpRequest

    from mailaccounts.testing.sandbox.idp.shapes import Shape

SIGN_IN_PROMPTS = {"login", "select_account"}
TICKED = "scope:"  # what the names of the consent page's boxes begin with


class SignIn(TenantMixin, View):
    """The query is that of the authorization request, which goes on after the sign-in."""

    def get(self, request: HttpRequest, **where: str) -> HttpResponse:
        return self._page(request, username=request.GET.get("login_hint", ""))

    def post(self, request: HttpRequest, **where: str) -> HttpResponse:
        if "cancel" in request.POST:
            return HttpResponseRedirect(url_of(request, "authorize", {**query_of(request), "cancel": "1"}))
        username = request.POST.get("username", "").strip()
        user = authenticate(request, username=username, password=request.POST.get("password", ""))
        if user is None:
            problem = (
                "Your password is not correct." if find(username) else f"We don't know anybody called {username}."
            )
            return self._page(request, username=username, problem=problem)
        login(request, user)
        goes_on = "adminconsent" if request.GET.get("then") == "adminconsent" else "authorize"
        return HttpResponseRedirect(url_of(request, goes_on, answered(query_of(request))))

    @staticmethod
    def _page(request: HttpRequest, **context: str) -> HttpResponse:
        application = Application.objects.filter(client_id=request.GET.get("client_id", "")).first()
        return render(request, "signin.html", {**context, "application": application})


class SignOut(TenantMixin, View):
    """Ends the person's session with the provider."""

    def get(self, request: HttpRequest, **where: str) -> HttpResponse:
        logout(request)
        return render(request, "signed_out.html")


class Authorize(TenantMixin, AuthorizationView):  # type: ignore[misc]  # the toolkit is untyped
    """The authorization endpoint: sign-in when needed, then consent, every time."""

    template_name = "consent.html"

    @property
    def shape(self) -> Shape:
        return shape_of(self.request)

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        prompt = set(request.GET.get("prompt", "").split())
        hint = request.GET.get("login_hint", "").lower()
        somebody_else = bool(hint) and hint != request.user.get_username()
        if prompt & SIGN_IN_PROMPTS or somebody_else or "cancel" in request.GET:
            return self.handle_no_permission()
        response: HttpResponse = super().get(request, *args, **kwargs)
        return response

    def handle_no_permission(self) -> HttpResponse:
        """Nobody (or somebody else) is signed in: checks the request, then asks who it is."""
        query = query_of(self.request)
        if query.get("prompt") == "none":
            response: HttpResponse = super().handle_no_permission()
            return response
        try:
            _, credentials = self.validate_authorization_request(self.request)
        except OAuthToolkitError as error:
            refused: HttpResponse = self.error_response(error, application=None)
            return refused
        if "cancel" in query:
            answer = {"error": "access_denied", "state": query.get("state", "")}
            return self.redirect(f"{credentials['redirect_uri']}?{urlencode(answer)}", None)
        return HttpResponseRedirect(url_of(self.request, "signin", query))

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(**kwargs)
        permissions = [
            {"scope": scope, "text": SCOPES[scope], "box": TICKED + scope if self._may_untick(scope) else ""}
            for scope in context.get("scopes", [])
        ]
        return {**context, "permissions": permissions}

    def form_valid(self, form: Any) -> HttpResponse:
        asked = form.cleaned_data["scope"].split()
        ticked = [scope for scope in asked if not self._may_untick(scope) or TICKED + scope in self.request.POST]
        again = RefreshToken.objects.filter(
            user=self.request.user, application__client_id=form.cleaned_data["client_id"], revoked=None
        ).exists()
        granted = self.shape.granted(faults.granted(ticked), query_of(self.request), again=again)
        form.cleaned_data["scope"] = " ".join(granted)
        response: HttpResponse = super().form_valid(form)
        return response

    def redirect(self, redirect_to: str, application: Any) -> HttpResponse:
        """Back to the client, in the provider's own words where somebody said no, and with its name (RFC 9207)."""
        parts = urlsplit(redirect_to)
        query = {name: value for name, value in parse_qsl(parts.query) if value}
        if query.get("error") == "access_denied":
            query = {**query, **self.shape.declined()}
        if self.shape.names_issuer or faults.response_issuer is not None:
            query["iss"] = self.shape.issuer if faults.response_issuer is None else faults.response_issuer
        response: HttpResponse = super().redirect(parts._replace(query=urlencode(query)).geturl(), application)
        return response

    def render_to_response(self, context: dict[str, Any], **kwargs: Any) -> HttpResponse:
        """The consent page, or the error page when there is nowhere safe to send the person back to."""
        if "error" not in context:
            response: HttpResponse = super().render_to_response(context, **kwargs)
            return response
        error = context["error"]
        unknown = "redirect_uri" if "redirect" in (error.description or "").lower() else "client_id"
        elsewhere = self.shape.error_address(unknown)
        if elsewhere:
            return HttpResponseRedirect(elsewhere)
        words = self.shape.error_words(unknown)
        return render(self.request, "problem.html", {"error": error, "words": words}, status=kwargs.get("status", 400))

    def _may_untick(self, scope: str) -> bool:
        return self.shape.lets_untick and scope not in OPENID


class Problem(View):
    """Where Google leads to when it can't lead back to the client."""

    def get(self, request: HttpRequest, **where: str) -> HttpResponse:
        return render(request, "problem.html", {"error": {"error": "400"}}, status=400)


def query_of(request: HttpRequest) -> dict[str, str]:
    return {name: str(value) for name, value in request.GET.items()}


def answered(query: dict[str, str]) -> dict[str, str]:
    """The authorization request without what a sign-in has answered; kept, it would ask again."""
    prompt = [each for each in query.get("prompt", "").split() if each not in SIGN_IN_PROMPTS]
    kept = {name: value for name, value in query.items() if name not in ("prompt", "login_hint", "then")}
    return {**kept, "prompt": " ".join(prompt)} if prompt else kept


def url_of(request: HttpRequest, name: str, query: dict[str, str]) -> str:
    """Another page of the same provider."""
    match = request.resolver_match
    assert match is not None
    path = reverse(f"{match.namespace}:{name}", kwargs=match.kwargs)
    return f"{published().base_url}{path}?{urlencode(query)}"
