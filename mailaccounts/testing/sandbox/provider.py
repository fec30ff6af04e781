"""The identity providers as their parent sees them: one child process, registrations, and switches for faults."""

from __future__ import annotations

import dataclasses
import secrets
from typing import TYPE_CHECKING

import requests

from mailaccounts.oauth.types import ClientRegistration
from mailaccounts.testing.sandbox.person import Person
from mailaccounts.testing.sandbox.process import PythonChild, ServedByChild, listen_on_localhost, port_of
from mailaccounts.testing.sandbox.registrations import (
    CLIENT_IDS,
    OIDC_NAME,
    OIDC_SCOPES,
    PROVIDERS,
    SERVICE_ACCOUNT,
    KeyPair,
    redirect_uris,
    service_account_key,
)
from mailaccounts.testing.sandbox.switches import Faults

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from typing import Any

    from mailaccounts.testing.sandbox.ca import Certificates
    from mailaccounts.testing.sandbox.users import SandboxUser, UserFile

TENANT = "5a4db0c5-0000-4000-8000-5a4db0c50001"
MAIL_CLIENT_ID = "sandbox-mail-servers"


class IdentityProvider(ServedByChild):
    """``authority`` is the base URL (MICROSOFT_AUTHORITY); MSAL wants ``f"{authority}/{tenant}"``.

    What isn't said to be another provider's is Microsoft's.
    """

    def __init__(
        self,
        directory: Path,
        certificates: Certificates,
        users: UserFile,
        *,
        redirect_uris: Sequence[str] = (),
    ) -> None:
        """``redirect_uris`` match exactly, except that on loopback hosts any port will do; empty is the CRM's own
        paths there."""
        self.directory = directory
        self.certificates = certificates
        self.users = users
        self.redirect_uris = list(redirect_uris)
        self.tenant = TENANT
        self.authority = ""
        self._secrets = {provider: secrets.token_urlsafe(32) for provider in PROVIDERS}
        self._certificate, self._service_account = KeyPair.make("Your CRM"), KeyPair.make(SERVICE_ACCOUNT)
        self._mail_secret = secrets.token_urlsafe(32)
        self._control_token = secrets.token_urlsafe(32)

    def start(self) -> None:
        sockets = listen_on_localhost()
        self.authority = f"https://localhost:{port_of(sockets)}"
        task = {
            "directory": str(self.directory),
            "users_file": str(self.users.path),
            "base_url": self.authority,
            "cert_file": str(self.certificates.cert_file),
            "key_file": str(self.certificates.key_file),
            "tenant": self.tenant,
            "clients": {provider: self._client(provider) for provider in PROVIDERS},
            "mail_client_id": MAIL_CLIENT_ID,
            "mail_client_secret": self._mail_secret,
            "control_token": self._control_token,
        }
        self._child = PythonChild(
            "The identity provider",
            "mailaccounts.testing.sandbox.idp",
            task=task,
            log=self.directory / "idp.log",
            sockets=sockets,
        )
        self._child.start()

    @property
    def client_id(self) -> str:
        return CLIENT_IDS["microsoft"]

    @property
    def client_secret(self) -> str:
        return self._secrets["microsoft"]

    @property
    def issuers(self) -> dict[str, str]:
        """By the CRM's name for the provider."""
        return {
            "microsoft": f"{self.authority}/{self.tenant}/v2.0",
            "google": f"{self.authority}/google",
            "oidc": f"{self.authority}/oidc",
        }

    @property
    def issuer(self) -> str:
        return self.issuers["microsoft"]

    @property
    def registrations(self) -> dict[str, ClientRegistration]:
        """The CRM's registration with each provider, as the oauth room takes it."""
        authorities = {**self.issuers, "microsoft": f"{self.authority}/{self.tenant}"}
        registrations = {
            provider: ClientRegistration(
                client_id=CLIENT_IDS[provider],
                client_secret=self._secrets[provider],
                authority=authorities[provider],
                tenant=self.tenant if provider == "microsoft" else "",
            )
            for provider in PROVIDERS
        }
        named = dataclasses.replace(registrations["oidc"], name=OIDC_NAME, scopes=OIDC_SCOPES)
        return {**registrations, "oidc": named}

    @property
    def registration(self) -> ClientRegistration:
        return self.registrations["microsoft"]

    @property
    def certificate_registration(self) -> ClientRegistration:
        """Microsoft's, proven by a certificate instead of the secret."""
        pem = self._certificate.private + self._certificate.certificate
        return dataclasses.replace(self.registration, client_secret=pem, proof="certificate")

    @property
    def service_account_registration(self) -> ClientRegistration:
        """Google's, of a service account that may read everybody's mail."""
        return dataclasses.replace(
            self.registrations["google"],
            client_id=SERVICE_ACCOUNT,
            client_secret=self.service_account_key,
            proof="service_account",
        )

    @property
    def service_account_key(self) -> str:
        """The JSON of the service account's key."""
        return service_account_key(self._service_account, issuer=self.issuers["google"])

    @property
    def faults(self) -> Faults:
        """The switches; ``faults.reset()`` puts all back."""
        return Faults(self.session(), url=self.authority, token=self._control_token)

    def introspection_url(self, protocol: str, *, with_secret: bool = False) -> str:
        """Where a mail server asks about tokens for "imap" or "smtp"; with its own secret in the URL if wanted."""
        scheme, _, rest = self.authority.partition("//")
        login = f"{MAIL_CLIENT_ID}:{self._mail_secret}@" if with_secret else ""
        return f"{scheme}//{login}{rest}/introspect/{protocol}"

    @property
    def discovery_url(self) -> str:
        return f"{self.issuer}/.well-known/openid-configuration"

    def session(self) -> requests.Session:
        """An HTTP client that trusts this world and nothing from the environment."""
        session = requests.Session()
        session.trust_env = False
        session.verify = str(self.certificates.ca_file)
        return session

    def person(self, user: SandboxUser) -> Person:
        """Somebody who can click through the provider's pages."""
        return Person(user, self.session(), provider=self.authority)

    def _client(self, provider: str) -> dict[str, Any]:
        """What the providers are told of the CRM's registration."""
        client: dict[str, Any] = {
            "client_id": CLIENT_IDS[provider],
            "client_secret": self._secrets[provider],
            "redirect_uris": self.redirect_uris or redirect_uris(provider),
        }
        if provider == "microsoft":
            client |= {"certificate": self._certificate.certificate}
        if provider == "google":
            client |= {"service_account": SERVICE_ACCOUNT, "service_key": self._service_account.public}
        return client
