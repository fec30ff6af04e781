"""The sandbox as a whole: starts its servers together, knows their addresses, stops them all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self

from mailaccounts.mail.types import Endpoint, Security
from mailaccounts.testing.sandbox.ca import Certificates
from mailaccounts.testing.sandbox.dovecot import CONNECTIONS, Dovecot
from mailaccounts.testing.sandbox.mailbox import Mailbox
from mailaccounts.testing.sandbox.process import SandboxError
from mailaccounts.testing.sandbox.provider import IdentityProvider
from mailaccounts.testing.sandbox.rawlog import RawLog, read_rawlogs
from mailaccounts.testing.sandbox.registrations import PROVIDERS, identity_provider_of
from mailaccounts.testing.sandbox.servers import Pymap, SmtpServer
from mailaccounts.testing.sandbox.tokens import TOKEN_MECHANISMS
from mailaccounts.testing.sandbox.users import SandboxUser, UserFile, replace_file

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

ALLOWED_HOSTS = "127.0.0.0/8,::1"
KEPT_OPEN = 8  # mailboxes whose connection is kept: Dovecot takes a hundred, and tests make more users than that


class Sandbox:
    """Servers at localhost, with everything they keep and log below ``directory``."""

    def __init__(
        self,
        directory: Path,
        *,
        imap: Literal["dovecot", "pymap"] = "dovecot",
        users: Iterable[SandboxUser] = (),
        imap_capability: str = "",
        token_mechanisms: Sequence[str] = TOKEN_MECHANISMS,
        redirect_uris: Sequence[str] = (),
        connections: int = CONNECTIONS,
    ) -> None:
        """``imap_capability`` (Dovecot only) replaces what is announced after login: ``"IMAP4rev1 UIDPLUS"``.

        ``token_mechanisms`` is what the mail servers take tokens by, ``connections`` how many Dovecot takes about.
        """
        self.directory = Path(directory).resolve()
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SandboxError(f"{self.directory} can't be made: {error.strerror}") from None
        self.certificates = Certificates.make(self.directory)
        self.users = UserFile(self.directory / "users.json")
        self.users.write(users)
        self.idp = IdentityProvider(self.directory, self.certificates, self.users, redirect_uris=redirect_uris)
        self._mailboxes: dict[str, Mailbox] = {}
        self._imap: Dovecot | Pymap
        if imap == "dovecot":
            self._imap = Dovecot(
                self.directory,
                self.certificates,
                self.idp,
                capability=imap_capability,
                token_mechanisms=token_mechanisms,
                connections=connections,
            )
        else:
            self._imap = Pymap(
                self.directory, self.certificates, self.idp, self.users, token_mechanisms=token_mechanisms
            )
        self._smtp = SmtpServer(
            self.directory, self.certificates, self.idp, self.users, token_mechanisms=token_mechanisms
        )

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.stop()

    def start(self) -> None:
        """Returns when every server answers; SandboxError says what is missing."""
        try:
            self.idp.start()
            self._imap.start()
            for user in self.users.read().values():
                self._imap.add_user(user)
            self._smtp.imap_port = self._imap.tls_port
            self._smtp.start()
            for server in (self._imap, self.idp, self._smtp):
                server.wait_ready()
            self._write_presets()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Ends every process; safe to call twice."""
        for mailbox in self._mailboxes.values():
            mailbox.close()
        self._mailboxes.clear()
        for server in (self._smtp, self._imap, self.idp):
            server.stop()

    def restart_imap(self) -> None:
        """Ends every connection to Dovecot, which comes back at the same port."""
        self._dovecot().restart()

    def check_alive(self) -> None:
        """SandboxError when a server ended by itself."""
        for server in (self._imap, self.idp, self._smtp):
            server.check_alive()

    @property
    def ca_file(self) -> Path:
        return self.certificates.ca_file

    @property
    def imap(self) -> Endpoint:
        return Endpoint(protocol="imap", host="localhost", port=self._imap.tls_port, security=Security.TLS)

    @property
    def imap_starttls(self) -> Endpoint:
        return Endpoint(protocol="imap", host="localhost", port=self._imap.starttls_port, security=Security.STARTTLS)

    @property
    def lmtp_port(self) -> int:
        """Where Dovecot takes deliveries (RFC 2033) at 127.0.0.1, if its part for that is installed."""
        return self._dovecot().lmtp_port

    @property
    def smtp(self) -> Endpoint:
        return Endpoint(protocol="smtp", host="localhost", port=self._smtp.tls_port, security=Security.TLS)

    @property
    def smtp_starttls(self) -> Endpoint:
        return Endpoint(protocol="smtp", host="localhost", port=self._smtp.starttls_port, security=Security.STARTTLS)

    @property
    def presets_file(self) -> Path:
        return self.directory / "presets.json"

    def environment(self) -> dict[str, str]:
        """What a CRM process needs to live in this world."""
        google, oidc = self.idp.registrations["google"], self.idp.registrations["oidc"]
        return {
            "MAILACCOUNTS_CA_BUNDLE": str(self.ca_file),
            "MAILACCOUNTS_ALLOW_PRIVATE_HOSTS": ALLOWED_HOSTS,
            "MICROSOFT_AUTHORITY": self.idp.authority,
            "MICROSOFT_TENANT": self.idp.tenant,
            "MICROSOFT_CLIENT_ID": self.idp.client_id,
            "MICROSOFT_CLIENT_SECRET": self.idp.client_secret,
            "GOOGLE_AUTHORITY": google.authority,
            "GOOGLE_CLIENT_ID": google.client_id,
            "GOOGLE_CLIENT_SECRET": google.client_secret,
            "OIDC_NAME": oidc.name,
            "OIDC_ISSUER": oidc.authority,
            "OIDC_CLIENT_ID": oidc.client_id,
            "OIDC_CLIENT_SECRET": oidc.client_secret,
            "OIDC_SCOPES": " ".join(oidc.scopes),
            "MAILACCOUNTS_PRESETS_FILE": str(self.presets_file),
        }

    def add_user(self, user: SandboxUser) -> SandboxUser:
        """Somebody new, or a new password; every server knows at once."""
        self.users.write({**self.users.read(), user.address.lower(): user}.values())
        self._imap.add_user(user)
        self._write_presets()
        return user

    def mailbox(self, address: str) -> Mailbox:
        """The mailbox of a user, for filling and judging."""
        user = self.users.find(address)
        if user is None:
            raise KeyError(address)
        known = self._mailboxes.get(address)
        if known is None or known.user != user:
            known = Mailbox(user, port=self._imap.tls_port, ca_file=self.ca_file)
            self._mailboxes[address] = known
            for earlier in list(self._mailboxes.values())[:-KEPT_OPEN]:
                earlier.close()
        return known

    def append(
        self, address: str, raw: bytes, folder: str = "INBOX", when: datetime | None = None, flags: str = ""
    ) -> None:
        """Files a message in a user's folder, which is made if missing; ``when`` (aware) is its internal date."""
        self.mailbox(address).append(raw, folder=folder, when=when, flags=flags)

    def message_ids(self, address: str) -> dict[str, list[str]]:
        """Per folder the Message-IDs, in the order of UIDs."""
        return self.mailbox(address).message_ids()

    def rawlogs(self, address: str) -> list[RawLog]:
        """What clients said to Dovecot after login, a session each, oldest first; the sandbox's own left out."""
        return read_rawlogs(self._dovecot().rawlog_directory(address))

    def outbox(self) -> list[bytes]:
        """What was sent to addresses outside, oldest first; X-Envelope-To names the recipients."""
        return [path.read_bytes() for path in sorted(self._smtp.outbox.glob("*.eml"))]

    def _dovecot(self) -> Dovecot:
        if not isinstance(self._imap, Dovecot):
            raise SandboxError('only Dovecot can do that: Sandbox(..., imap="dovecot")')
        return self._imap

    def _write_presets(self) -> None:
        """The sandbox's servers as a provider each for whoever types an address of these domains."""
        domains: dict[str, list[str]] = {}
        for domain in sorted(self.users.domains()):
            domains.setdefault(identity_provider_of(domain), []).append(domain)
        presets = [
            {
                "slug": f"sandbox-{provider}",
                "label": "Sandbox",
                "domains": domains[provider],
                "imap": self.imap.url,
                "smtp": self.smtp.url,
                "username": "address",
                "credentials": ["xoauth2", "password"],
                "provider": provider,
            }
            for provider in PROVIDERS
            if provider in domains
        ]
        replace_file(self.presets_file, json.dumps({"presets": presets}, indent=2))
