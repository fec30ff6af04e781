"""The CRM's registrations with the sandbox's providers: made anew for each sandbox, none of it worth keeping."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

PROVIDERS = ("microsoft", "google", "oidc")

HOSTS = ("localhost", "127.0.0.1")  # any port of theirs (RFC 8252 §7.3)
PATHS = (
    "/oauth/{}/callback/",  # connecting a mailbox
    "/accounts/oidc/{}/login/callback/",  # signing in to the CRM
    "/oauth/{}/admin-consent/",  # letting the CRM into an organisation
)

MICROSOFT_CLIENT_ID = "c11e4700-0000-4000-8000-c11e47000001"
CLIENT_IDS = {
    "microsoft": MICROSOFT_CLIENT_ID,
    "google": "1014700-sandbox.apps.googleusercontent.test",
    "oidc": "sandbox-crm",
}
OIDC_NAME = "Sandbox ID"
OIDC_SCOPES = ("openid", "email", "profile", "offline_access", "mail")

SERVICE_ACCOUNT = "crm@sandbox-project.iam.gserviceaccount.test"


def identity_provider_of(domain: str) -> str:
    """Who signs people of a mail domain in: Google for "google.…", the generic one for "oidc.…", else Microsoft."""
    first = domain.partition(".")[0]
    return first if first in PROVIDERS else PROVIDERS[0]


def redirect_uris(provider: str) -> list[str]:
    """Where the CRM's people come back to from ``provider``, the one for mailboxes first."""
    return [f"http://{host}{path.format(provider)}" for path in PATHS for host in HOSTS]


@dataclass(frozen=True, slots=True)
class KeyPair:
    """An RSA key and a certificate that its owner signed."""

    private: str = field(repr=False)  # PEM
    public: str  # PEM
    certificate: str  # PEM

    @classmethod
    def make(cls, name: str) -> KeyPair:
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        subject, now = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]), datetime.now(UTC)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + timedelta(days=365))
            .sign(key, hashes.SHA256())
        )
        pem = serialization.Encoding.PEM
        private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        public = key.public_key().public_bytes(pem, serialization.PublicFormat.SubjectPublicKeyInfo)
        return cls(private.decode(), public.decode(), certificate.public_bytes(pem).decode())


def service_account_key(keys: KeyPair, *, issuer: str) -> str:
    """The JSON file that Google's console gives out for a service account."""
    return json.dumps(
        {
            "type": "service_account",
            "project_id": "sandbox-project",
            "private_key_id": secrets.token_hex(20),
            "private_key": keys.private,
            "client_email": SERVICE_ACCOUNT,
            "client_id": "100000000000000000001",
            "auth_uri": f"{issuer}/o/oauth2/v2/auth",
            "token_uri": f"{issuer}/token",
        }
    )
