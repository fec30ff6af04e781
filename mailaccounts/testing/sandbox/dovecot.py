"""Dovecot as a child process without privileges: passwords from a file per user, tokens by introspection."""

from __future__ import annotations

import grp
import json
import os
import pwd
import shutil
import socket
import ssl
import tempfile
from base64 import b64encode
from pathlib import Path
from typing import TYPE_CHECKING

from mailaccounts.testing.sandbox.dovecot_config import ACCESS_CONFIG, CONFIG, OAUTH2_CONFIG, OPENS, PASSWORDS_CONFIG
from mailaccounts.testing.sandbox.process import (
    UNPRIVILEGED,
    Child,
    SandboxError,
    free_port,
    has_ipv6_loopback,
    unprivileged,
)
from mailaccounts.testing.sandbox.tokens import TOKEN_MECHANISMS
from mailaccounts.testing.sandbox.users import APPLICATIONS, replace_file

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mailaccounts.testing.sandbox.ca import Certificates
    from mailaccounts.testing.sandbox.provider import IdentityProvider
    from mailaccounts.testing.sandbox.users import SandboxUser

SOCKET_PATH_LIMIT = 60  # of the 108 bytes a socket's whole path may have
CONNECTIONS = 100
OTHER_PROCESSES = 50  # Dovecot's own: for logins, authentication, statistics
SYSTEM_PATH = "/usr/sbin:/usr/local/sbin"  # where Debian puts programs that ordinary users don't start


class Dovecot:
    """An IMAP server with its mail below ``directory``; a link leads there when Dovecot has to live elsewhere."""

    def __init__(
        self,
        directory: Path,
        certificates: Certificates,
        idp: IdentityProvider,
        *,
        capability: str = "",
        token_mechanisms: Sequence[str] = TOKEN_MECHANISMS,
        connections: int = CONNECTIONS,
    ) -> None:
        """``capability`` replaces what the server announces after login, e.g. ``"IMAP4rev1 UIDPLUS"``. It takes about
        so many ``connections`` at a time."""
        self.program = find_program()
        self.directory = directory
        self.log = directory / "dovecot.log"
        self.link = directory / "dovecot"
        self.certificates = certificates
        self.idp = idp
        self.capability = capability
        self.token_mechanisms = token_mechanisms
        self.connections = connections
        self.home = Path()
        self.tls_port = self.starttls_port = self.lmtp_port = 0
        self._child: Child | None = None
        self._temporary = False

    def start(self) -> None:
        """Returns when Dovecot answers. It can't be handed sockets, so somebody may take its ports meanwhile."""
        self._prepare()
        for last in (False, False, True):
            self.tls_port, self.starttls_port, self.lmtp_port = free_port(), free_port(), free_port()
            child = self._launch()
            try:
                child.wait_ready()
            except SandboxError:
                if last or "Address already in use" not in self.log.read_text():
                    raise
            else:
                return

    def restart(self) -> None:
        """Ends every connection and comes back at the same ports, with the same mail."""
        assert self._child is not None
        self._child.stop()
        self._launch().wait_ready()

    def wait_ready(self) -> None:
        """``start`` has waited."""

    def check_alive(self) -> None:
        assert self._child is not None
        self._child.check_alive()

    def stop(self) -> None:
        if self._child is not None:
            self._child.stop()
            self._child = None
        if self._temporary:
            shutil.rmtree(self.home, ignore_errors=True)
            self.link.unlink(missing_ok=True)

    def add_user(self, user: SandboxUser) -> None:
        """Lets the user log in from now on, with this password only, and with tokens where they open the mailbox."""
        name = user.address.lower()
        self._make_directory(self.home / "rawlog" / name)
        password = b64encode(user.password.encode()).decode()
        self._write(self.home / "passwords" / name, json.dumps({"password": f"{{PLAIN.b64}}{password}"}))
        access = self.home / "access"
        self._make_directory(access / name)
        for other in access.joinpath(name).iterdir():
            other.unlink()
        for mailbox in user.opens:
            self._write(access / name / mailbox, OPENS)
        if user.closed_to_apps:
            access.joinpath(APPLICATIONS, name).unlink(missing_ok=True)
        else:
            self._write(access / APPLICATIONS / name, OPENS)

    def rawlog_directory(self, address: str) -> Path:
        return self.home / "rawlog" / address.lower()

    def _prepare(self) -> None:
        """Directories and files."""
        self._choose_home()
        for name in ("state", "mail", "home", "passwords", "rawlog", "access", f"access/{APPLICATIONS}"):
            self._make_directory(self.home / name)
        self._make_directory(self.home / "run", mode=0o755)  # Dovecot wants it so
        for source in (self.certificates.ca_file, self.certificates.cert_file, self.certificates.key_file):
            self._write(self.home / source.name, source.read_text())
        self._write(self.home / "passwords.conf.ext", PASSWORDS_CONFIG.format(home=self.home))
        self._write(self.home / "access.conf.ext", ACCESS_CONFIG.format(home=self.home))
        self._write(
            self.home / "oauth2.conf.ext",
            OAUTH2_CONFIG.format(
                home=self.home,
                introspection_url=self.idp.introspection_url("imap", with_secret=True),
                discovery_url=self.idp.discovery_url,
            ),
        )

    def _launch(self) -> Child:
        self._write(self.home / "dovecot.conf", self._config())
        command = [*unprivileged(), self.program, "-F", "-c", str(self.home / "dovecot.conf")]
        self._child = Child("Dovecot", command, log=self.log, ready=self._greets)
        self._child.start()
        return self._child

    def _config(self) -> str:
        user, group = UNPRIVILEGED if os.geteuid() == 0 else _ourselves()
        return CONFIG.format(
            home=self.home,
            user=user,
            group=group,
            token_mechanisms=" ".join(self.token_mechanisms).lower(),
            addresses="127.0.0.1, ::1" if has_ipv6_loopback() else "127.0.0.1",
            tls_port=self.tls_port,
            starttls_port=self.starttls_port,
            lmtp_port=self.lmtp_port,
            lmtp=" lmtp" if _delivers() else "",
            processes=self.connections + OTHER_PROCESSES,
            clients=2 * self.connections + 1000,
            capability=f"imap_capability = {self.capability}" if self.capability else "",
        )

    def _greets(self) -> bool:
        context = ssl.create_default_context(cafile=str(self.certificates.ca_file))
        try:
            with (
                socket.create_connection(("127.0.0.1", self.tls_port), timeout=2) as plain,
                context.wrap_socket(plain, server_hostname="localhost") as connection,
            ):
                return connection.recv(4) == b"* OK"
        except OSError:
            return False

    def _choose_home(self) -> None:
        """``link`` itself if Dovecot's user can get there and the path leaves room for socket names (108 bytes)."""
        self.home, self._temporary = self.link, False
        if len(str(self.link)) > SOCKET_PATH_LIMIT or not _reachable(self.directory):
            self.home, self._temporary = Path(tempfile.mkdtemp(prefix="mailaccounts-dovecot-")), True
            if self.link.is_symlink():  # left over from a sandbox that was killed
                self.link.unlink()
            self.link.symlink_to(self.home)
        self._make_directory(self.home)

    def _make_directory(self, path: Path, *, mode: int = 0o700) -> None:
        path.mkdir(mode=mode, exist_ok=True)
        if os.geteuid() == 0:
            shutil.chown(path, *UNPRIVILEGED)

    def _write(self, path: Path, text: str) -> None:
        replace_file(path, text)
        if os.geteuid() == 0:
            shutil.chown(path, *UNPRIVILEGED)


def find_program() -> str:
    """Where Dovecot is; SandboxError says what to install."""
    found = shutil.which("dovecot", path=f"{os.environ.get('PATH', os.defpath)}:{SYSTEM_PATH}")
    if found is None:
        raise SandboxError(
            'Dovecot is not installed: apt-get install dovecot-core dovecot-imapd, or use imap="pymap" without it.'
        )
    return found


def _delivers() -> bool:
    """Whether the part that takes mail by LMTP is installed, which nothing but measurements needs."""
    return any(path.exists() for path in (Path("/usr/lib/dovecot/lmtp"), Path("/usr/libexec/dovecot/lmtp")))


def _ourselves() -> tuple[str, str]:
    return pwd.getpwuid(os.geteuid()).pw_name, grp.getgrgid(os.getegid()).gr_name


def _reachable(directory: Path) -> bool:
    """Whether the user Dovecot runs as may pass through every directory on the way."""
    if os.geteuid() != 0:
        return True
    return all(path.stat().st_mode & 0o001 for path in (directory, *directory.resolve().parents))
