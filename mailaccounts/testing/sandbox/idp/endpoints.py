"""What clients and mail servers call: discovery, keys, tokens, userinfo, revocation, introspection."""

from __future__ import annotations

import json
import threading
from base64 import urlsafe_b64encode
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from django.db.models import Q
from django.http import HttpResponse, JsonResponse
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.csrf import csrf_exempt
from oauth2_provider.models import AccessToken, Application, RefreshToken
from oauth2_provider.views import IntrospectTokenView, JwksInfoView, RevokeTokenView, TokenView, UserInfoView

from mailaccounts.testing.sandbox.idp import app_tokens, service_accounts
from mailaccounts.testing.sandbox.idp.accounts import find
from mailaccounts.testing.sandbox.idp.shapes import Problem, shape_of, shape_of_client
from mailaccounts.testing.sandbox.idp.shapes.entra import Entra, is_app_only, object_id
from mailaccounts.testing.sandbox.idp.shapes.google import JWT_BEARER, Google
from mailaccounts.testing.sandbox.idp.task import published
from mailaccounts.testing.sandbox.idp.tenants import TenantMixin
from mailaccounts.testing.sandbox.users import APPLICATIONS

if TYPE_CHECKING:
    from django.http import HttpRequest

    from mailaccounts.testing.sandbox.idp.shapes import Shape

# One at a time, so that a refresh token presented twice at the same moment counts as reused.
_token_lock = threading.Lock()


class Discovery(TenantMixin, View):
    """OpenID Connect Discovery 1.0."""

    def get(self, request: HttpRequest, **where: str) -> HttpResponse:
        return JsonResponse(shape_of(request).discovery(**where))


class Keys(TenantMixin, JwksInfoView):  # type: ignore[misc]  # the toolkit is untyped
    """The public keys of ID tokens."""


class UserInfo(TenantMixin, UserInfoView):  # type: ignore[misc]  # the toolkit is untyped
    """OpenID Connect Core §5.3; what signing in to the CRM asks for."""


@method_decorator(csrf_exempt, name="dispatch")
class Token(TenantMixin, TokenView):  # type: ignore[misc]  # the toolkit is untyped
    """Tokens for codes, refresh tokens, client credentials and service accounts; errors in the provider's words."""

    def post(self, request: HttpRequest, *args: Any, **where: str) -> HttpResponse:
        shape, form = shape_of(request), request.POST.dict()
        refused = shape.refusal(form, **where)
        if refused:
            return JsonResponse(shape.error(refused), status=refused.status)
        if isinstance(shape, Google) and form.get("grant_type") == JWT_BEARER:
            return self._for_a_service_account(shape, form.get("assertion", ""))
        with _token_lock:
            response = super().post(request)
        body = json.loads(response.content)
        if response.status_code != 200:
            problem = Problem(
                error=body.get("error", "invalid_request"),
                description=body.get("error_description", ""),
                status=response.status_code,
            )
            known = Application.objects.filter(client_id=form.get("client_id")).exists()
            problem = shape.problem(problem, form, known=known or "client_id" not in form)
            return JsonResponse(shape.error(problem), status=problem.status)
        answer = shape.token_answer(body, form)
        if isinstance(shape, Entra) and form.get("client_info") == "1" and not is_app_only(body["scope"].split()):
            answer["client_info"] = client_info(body["access_token"])
        return JsonResponse(answer, headers={"Cache-Control": "no-store"})

    @staticmethod
    def _for_a_service_account(shape: Google, assertion: str) -> HttpResponse:
        answer = service_accounts.exchange(assertion, token_url=f"{shape.issuer}/token")
        if isinstance(answer, Problem):
            return JsonResponse(shape.error(answer), status=answer.status)
        return JsonResponse(answer, headers={"Cache-Control": "no-store"})


@method_decorator(csrf_exempt, name="dispatch")
class Revoke(TenantMixin, RevokeTokenView):  # type: ignore[misc]  # the toolkit is untyped
    """RFC 7009. Entra has no such thing; others do."""


@method_decorator(csrf_exempt, name="dispatch")
class GoogleRevoke(View):
    """Google's way: either token, without the client's secret, ends the person's whole consent."""

    def post(self, request: HttpRequest) -> HttpResponse:
        mark = Q(token_checksum=checksum(request.POST.get("token", request.GET.get("token", ""))))
        found = RefreshToken.objects.filter(mark, revoked=None).first() or AccessToken.objects.filter(mark).first()
        if found is None or shape_of_client(found.application.client_id) is not shape_of(request):
            answer = {"error": "invalid_token", "error_description": "Token expired or revoked"}
            return JsonResponse(answer, status=400)
        consent = {"user": found.user, "application": found.application}
        RefreshToken.objects.filter(**consent).delete()
        AccessToken.objects.filter(**consent).delete()
        return JsonResponse({})


@method_decorator(csrf_exempt, name="dispatch")
class Introspect(IntrospectTokenView):  # type: ignore[misc]  # the toolkit is untyped
    """RFC 7662 for the mail servers, about tokens of every provider: ``email`` is whose it is.

    A token is active only if its scopes open the protocol.
    """

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        response: HttpResponse = super().post(request)
        data = json.loads(response.content)
        if not data.get("active"):
            return response
        shape, scopes, protocol = shape_of_client(data["client_id"]), data["scope"].split(), kwargs["protocol"]
        if isinstance(shape, Entra) and is_app_only(scopes):
            data |= {"email": APPLICATIONS, "roles": app_tokens.roles(request.POST["token"])}
            active = app_tokens.open(protocol, data["roles"])
        else:
            data["email"] = data.get("username", "")
            active = shape is not None and shape.opens(protocol, scopes) and not self._is_barred(shape, data)
        return JsonResponse(data if active else {"active": False})

    @staticmethod
    def _is_barred(shape: Shape, data: dict[str, Any]) -> bool:
        """Whether an application acts in the name of somebody whose mailbox is closed to applications."""
        person = find(data["email"]) if data["client_id"] == shape.client.service_account else None
        return person is not None and person.closed_to_apps


def client_info(access_token: str) -> str:
    """Who a token is for, as MSAL reads it from Entra's token answers."""
    token = AccessToken.objects.select_related("user").get(token_checksum=checksum(access_token))
    info = {"uid": object_id(token.user.username), "utid": published().tenant}
    return urlsafe_b64encode(json.dumps(info).encode()).decode().rstrip("=")


def checksum(token: str) -> str:
    """What tokens are found by."""
    return sha256(token.encode()).hexdigest()
