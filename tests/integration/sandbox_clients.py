"""Plain clients for the sandbox's own tests: unmodified MSAL, imaplib and smtplib, nothing of ours."""

from __future__ import annotations

import imaplib
import smtplib
import ssl
import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import msal

if TYPE_CHECKING:
    from pathlib import Path

    from mailaccounts.mail.types import Endpoint
    from mailaccounts.testing.sandbox import SandboxUser
    from mailaccounts.testing.sandbox.provider import IdentityProvider

SCOPES = ["https://outlook.office.com/IMAP.AccessAsUser.All", "https://outlook.office.com/SMTP.Send"]
REDIRECT_URI = "http://localhost:8765/oauth/microsoft/callback/"

VERIFIER, CHALLENGE = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
"""The example of RFC 7636, appendix B."""


@dataclass
class Bearer:
    """XOAUTH2, from the client's side; ``challenge`` is what a refusal came with."""

    address: str
    token: str
    challenge: bytes = b""
    asked: bool = field(default=False)

    def __call__(self, challenge: bytes | None = None) -> bytes:
        if not self.asked:
            self.asked = True
            return f"user={self.address}\1auth=Bearer {self.token}\1\1".encode()
        self.challenge = challenge or b""
        return b""


def trust(ca_file: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(ca_file))


def imap_connection(endpoint: Endpoint, ca_file: Path) -> imaplib.IMAP4_SSL:
    return imaplib.IMAP4_SSL(endpoint.host, endpoint.port, ssl_context=trust(ca_file), timeout=30)


def smtp_connection(endpoint: Endpoint, ca_file: Path) -> smtplib.SMTP:
    if endpoint.security == "tls":
        smtp: smtplib.SMTP = smtplib.SMTP_SSL(endpoint.host, endpoint.port, context=trust(ca_file), timeout=30)
    else:
        smtp = smtplib.SMTP(endpoint.host, endpoint.port, timeout=30)
        smtp.starttls(context=trust(ca_file))
    smtp.ehlo()
    return smtp


def smtp_bearer_login(smtp: smtplib.SMTP, bearer: Bearer) -> tuple[int, bytes]:
    return smtp.auth("XOAUTH2", lambda challenge=None: bearer(challenge).decode())


def msal_app(
    idp: IdentityProvider, *, secret: str | dict[str, str] = "", tenant: str = ""
) -> msal.ConfidentialClientApplication:
    return msal.ConfidentialClientApplication(
        idp.client_id,
        client_credential=secret or idp.client_secret,
        authority=f"{idp.authority}/{tenant or idp.tenant}",
        instance_discovery=False,
        http_client=idp.session(),
    )


def begin(app: msal.ConfidentialClientApplication, **options: Any) -> dict[str, Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # MSAL would like form_post better
        flow: dict[str, Any] = app.initiate_auth_code_flow(SCOPES, redirect_uri=REDIRECT_URI, **options)
    return flow


def sign_in(app: msal.ConfidentialClientApplication, idp: IdentityProvider, user: SandboxUser) -> dict[str, Any]:
    """The whole code flow: MSAL's result."""
    flow = begin(app, login_hint=user.address)
    result: dict[str, Any] = app.acquire_token_by_auth_code_flow(flow, idp.person(user).consent(flow["auth_uri"]))
    return result


def refresh(app: msal.ConfidentialClientApplication) -> dict[str, Any]:
    """A forced refresh with what MSAL has in its cache."""
    (account,) = app.get_accounts()
    result: dict[str, Any] = app.acquire_token_silent_with_error(SCOPES, account, force_refresh=True)
    return result


def access_token(idp: IdentityProvider, user: SandboxUser) -> str:
    return str(sign_in(msal_app(idp), idp, user)["access_token"])


def authorize_url(idp: IdentityProvider, **changes: str | None) -> str:
    """An authorization request; None leaves a parameter out."""
    query = {
        "client_id": idp.client_id,
        "response_type": "code",
        "redirect_uri": REDIRECT_URI,
        "scope": f"openid offline_access {SCOPES[0]}",
        "state": "a-state",
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
        **changes,
    }
    chosen = {name: value for name, value in query.items() if value is not None}
    return f"{idp.authority}/{idp.tenant}/oauth2/v2.0/authorize?{urlencode(chosen)}"
