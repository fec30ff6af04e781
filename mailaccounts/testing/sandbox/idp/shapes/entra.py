"""Microsoft's ways: tenants, application roles, errors with numbers.

Vendor documents: "Authentication and authorization error codes", "ID token claims reference", and Exchange Online's
"Authenticate an IMAP, POP or SMTP connection using OAuth".
"""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mailaccounts.testing.sandbox.idp.shapes.base import OFFLINE, OPENID, Problem, Shape
from mailaccounts.testing.sandbox.idp.task import published
from mailaccounts.testing.sandbox.users import UserFile

if TYPE_CHECKING:
    from collections.abc import Mapping

SHARED_TENANTS = ("common", "organizations")

RESOURCES = ("https://outlook.office.com", "https://outlook.office365.com")
DEFAULT_SCOPE = "/.default"

MAIL = {
    "IMAP.AccessAsUser.All": "Read and write your mail by IMAP",
    "POP.AccessAsUser.All": "Read your mail by POP",
    "SMTP.Send": "Send mail as you by SMTP",
}
MAIL_SCOPES = {"imap": "IMAP.AccessAsUser.All", "smtp": "SMTP.Send"}

APP_ROLES = {"imap": "IMAP.AccessAsApp", "pop": "POP.AccessAsApp", "smtp": "SMTP.SendAsApp"}
"""What a token for ``/.default`` may do, on every mailbox of the directory, by protocol."""

TEXTS = {
    16000: "Interaction is required to choose an account.",
    28000: "A token can be for one resource only.",
    50011: "The redirect URI does not match the ones registered for the application.",
    50058: "A silent sign-in was asked for, but nobody is signed in.",
    50173: "The grant was revoked; a new sign-in is needed.",
    54005: "The authorization code was already redeemed or has expired.",
    65001: "The user has not consented to one of the scopes.",
    65004: "The user declined to consent.",
    70000: "The grant is not valid.",
    70003: "The grant type is not supported.",
    70008: "The refresh token has expired or was never issued.",
    70011: "A scope is not valid.",
    90002: "The tenant was not found.",
    700016: "The application was not found in the directory.",
    700027: "The client assertion is not signed with a certificate of the application.",
    900144: "The request lacks a parameter or has a wrong one.",
    1002012: "Client credentials need a scope that ends in /.default.",
    7000215: "The client secret is not valid.",
    9001023: "Client credentials need a tenant of their own, not common or organizations.",
    501481: "The code verifier does not match the code challenge.",
}
CODES = {"invalid_client": 7000215, "invalid_scope": 70011, "unsupported_grant_type": 70003}


class Entra(Shape):
    slug = "microsoft"
    scopes = {
        **OPENID,
        OFFLINE: "Keep this access while you are away",
        **{f"{resource}/{name}": text for resource in RESOURCES for name, text in MAIL.items()},
        **{f"{resource}{DEFAULT_SCOPE}": "Everything its application permissions allow" for resource in RESOURCES},
    }
    mail_scopes = {
        protocol: tuple(f"{resource}/{name}" for resource in RESOURCES) for protocol, name in MAIL_SCOPES.items()
    }
    grant_types = Shape.grant_types | {"client_credentials"}

    @property
    def issuer(self) -> str:
        return f"{published().base_url}/{published().tenant}/v2.0"

    def discovery(self, **where: str) -> dict[str, Any]:
        tenant = where["tenant"]
        base = f"{published().base_url}/{tenant}"
        return {
            "issuer": f"{published().base_url}/{{tenantid}}/v2.0" if is_shared(tenant) else self.issuer,
            "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
            "token_endpoint": f"{base}/oauth2/v2.0/token",
            "jwks_uri": f"{base}/discovery/v2.0/keys",
            "userinfo_endpoint": f"{base}/oidc/userinfo",
            "end_session_endpoint": f"{base}/oauth2/v2.0/logout",
            "revocation_endpoint": f"{base}/oauth2/v2.0/revoke",
            "response_types_supported": ["code"],
            "response_modes_supported": ["query"],
            "grant_types_supported": sorted(self.grant_types),
            "subject_types_supported": ["pairwise"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "code_challenge_methods_supported": ["S256"],
            "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt", "client_secret_basic"],
            "scopes_supported": list(self.scopes),
            "claims_supported": sorted({"iss", "aud", "exp", "iat", "nonce", *self.claims("", client_id="")}),
        }

    def claims(self, address: str, *, client_id: str) -> dict[str, Any]:
        return {
            "sub": uuid.uuid5(uuid.NAMESPACE_URL, f"{client_id}/{address}").hex,  # differs from client to client
            "oid": object_id(address),
            "tid": published().tenant,
            "preferred_username": address,
            "email": address,
            "name": address.partition("@")[0],
            "ver": "2.0",
        }

    def refusal(self, form: Mapping[str, str], **where: str) -> Problem | None:
        scopes = form.get("scope", "").split()
        if form.get("grant_type") == "client_credentials":
            if is_shared(where["tenant"]):
                return Problem(error="invalid_request", code=9001023)
            if not scopes or not is_app_only(scopes):
                return Problem(error="invalid_scope", code=1002012)
        return None

    def problem(self, problem: Problem, form: Mapping[str, str], *, known: bool) -> Problem:
        error, refreshing = problem.error, form.get("grant_type") == "refresh_token"
        if error == "invalid_client" and not known:
            return Problem(error="unauthorized_client", code=700016)
        if error == "invalid_client" and "client_assertion" in form:
            return Problem(error="invalid_client", code=700027, status=401)
        if error == "invalid_scope" and refreshing:
            return Problem(error="invalid_grant", code=65001, suberror="consent_required")
        if error == "invalid_grant" and "verifier" in problem.description:
            return Problem(error=error, code=501481)
        code = (70008 if refreshing else 54005) if error == "invalid_grant" else CODES.get(error, 900144)
        return Problem(error=error, code=code, status=problem.status)

    def error(self, problem: Problem) -> dict[str, Any]:
        """The text is ours, the fields are Entra's."""
        trace, correlation = str(uuid.uuid4()), str(uuid.uuid4())
        now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%SZ")
        text = f"{description(problem.code)} Trace ID: {trace} Correlation ID: {correlation} Timestamp: {now}"
        answer: dict[str, Any] = {
            "error": problem.error,
            "error_description": problem.description or text,
            "error_codes": [problem.code],
            "timestamp": now,
            "trace_id": trace,
            "correlation_id": correlation,
            "error_uri": f"https://login.microsoftonline.com/error?code={problem.code}",
        }
        return {**answer, "suberror": problem.suberror} if problem.suberror else answer

    def error_words(self, unknown: str) -> str:
        return description(50011 if unknown == "redirect_uri" else 700016)

    def declined(self) -> dict[str, str]:
        return {"error": "access_denied", "error_subcode": "cancel", "error_description": description(65004)}

    def token_answer(self, body: dict[str, Any], form: Mapping[str, str]) -> dict[str, Any]:
        return {**super().token_answer(body, form), "ext_expires_in": body["expires_in"]}


def description(code: int) -> str:
    return f"AADSTS{code}: {TEXTS.get(code, 'Fault on demand.')}"


def object_id(address: str) -> str:
    """A person's id in the directory: the same in every sandbox."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"mailto:{address.lower()}"))


def is_app_only(scopes: list[str]) -> bool:
    return all(scope.endswith(DEFAULT_SCOPE) for scope in scopes)


def is_shared(tenant: str) -> bool:
    return tenant in SHARED_TENANTS


def known_tenant(tenant: str) -> bool:
    """The directory's id, or one of its domains, which are those its people have addresses at by now."""
    name = tenant.lower()
    return name in {published().tenant, *SHARED_TENANTS} or name in UserFile(Path(published().users_file)).domains()
