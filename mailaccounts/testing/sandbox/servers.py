"""The pure-Python mail servers as their parent sees them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mailaccounts.testing.sandbox.process import PythonChild, ServedByChild, listen_on_localhost, port_of
from mailaccounts.testing.sandbox.tokens import TOKEN_MECHANISMS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from mailaccounts.testing.sandbox.ca import Certificates
    from mailaccounts.testing.sandbox.provider import IdentityProvider
    from mailaccounts.testing.sandbox.users import SandboxUser, UserFile


class PythonMailServer(ServedByChild):
    """A child process with a TLS port and a STARTTLS port, which knows the users file and the identity provider."""

    protocol: str
    module: str
    name: str

    def __init__(
        self,
        directory: Path,
        certificates: Certificates,
        idp: IdentityProvider,
        users: UserFile,
        *,
        token_mechanisms: Sequence[str] = TOKEN_MECHANISMS,
    ) -> None:
        self.directory = directory
        self.certificates = certificates
        self.idp = idp
        self.users = users
        self.token_mechanisms = list(token_mechanisms)
        self.tls_port = self.starttls_port = 0

    def start(self) -> None:
        tls, starttls = listen_on_localhost(), listen_on_localhost()
        self.tls_port, self.starttls_port = port_of(tls), port_of(starttls)
        self._child = PythonChild(
            self.name,
            self.module,
            task={**self.task(), "tls_sockets": len(tls)},
            log=self.directory / f"{self.protocol}.log",
            sockets=[*tls, *starttls],
        )
        self._child.start()

    def task(self) -> dict[str, Any]:
        return {
            "users_file": str(self.users.path),
            "ca_file": str(self.certificates.ca_file),
            "cert_file": str(self.certificates.cert_file),
            "key_file": str(self.certificates.key_file),
            "token_mechanisms": self.token_mechanisms,
            "introspection_url": self.idp.introspection_url(self.protocol, with_secret=True),
        }

    def add_user(self, user: SandboxUser) -> None:
        """Nothing to do: the users file is read at each sign-in."""


class Pymap(PythonMailServer):
    """The IMAP server for places where only pip is; mail lives in its memory."""

    protocol = "imap"
    module = "mailaccounts.testing.sandbox.imap_pymap"
    name = "pymap"


class SmtpServer(PythonMailServer):
    """Submission: delivers to the sandbox's own mailboxes by IMAP, keeps what goes elsewhere in ``outbox``."""

    protocol = "smtp"
    module = "mailaccounts.testing.sandbox.smtp_server"
    name = "The SMTP server"
    imap_port = 0

    def task(self) -> dict[str, Any]:
        self.outbox.mkdir(exist_ok=True)
        return {**super().task(), "imap_port": self.imap_port, "outbox": str(self.outbox)}

    @property
    def outbox(self) -> Path:
        return self.directory / "outbox"
