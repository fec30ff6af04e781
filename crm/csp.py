"""The content security policy: everything from ourselves, no inline script or style, in nobody's frame."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http import HttpRequest, HttpResponse

POLICY = {
    "default-src": "'self'",
    "img-src": "'self' data:",  # Tabler's drawings of arrows and ticks
    "object-src": "'none'",
    "base-uri": "'none'",
    "frame-ancestors": "'none'",
    "form-action": "'self'",
}

# Chromium holds form-action against every redirect that follows a form, and the forms of these pages lead to an
# identity provider, which may send people on to another one: their own organisation's.
LEADS_TO_PROVIDER = {
    *(f"mailaccounts:{name}" for name in ("connect", "result", "switch", "reconnect", "allow_sending")),
    "admin:mailaccounts_tenantaccess_add",
    "admin:mailaccounts_tenantaccess_change",
    "account_login",
    "account_signup",
    "openid_connect_login",
    "socialaccount_connections",
    "confirm_with_identity",
}

DJANGOS_OWN = 500  # with DEBUG its own page stands for this, with styles and scripts in it


class ContentSecurityPolicy:
    """Adds the policy to every response that doesn't bring its own."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if settings.DEBUG and response.status_code == DJANGOS_OWN:
            return response
        match = request.resolver_match
        policy = POLICY
        if match and match.view_name in LEADS_TO_PROVIDER:
            policy = POLICY | {"form-action": "'self' https:"}
        text = "; ".join(f"{name} {value}" for name, value in policy.items())
        response.headers.setdefault("Content-Security-Policy", text)
        return response
