"""mbsync, the peer: it mirrors the same mailbox into a Maildir of its own, without a database."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.servers import program

if TYPE_CHECKING:
    from pathlib import Path

    from tests.sandbox_fixtures import SandboxMailbox

CONFIG = """\
FSync no
IMAPAccount box
Host localhost
Port {port}
User {user}
Pass {password}
SSLType IMAPS
CertificateFile {ca_file}

IMAPStore far
Account box

MaildirStore near
Path {directory}/mail/
Inbox {directory}/mail/INBOX
SubFolders Verbatim

Channel all
Far :far:
Near :near:
Patterns *
Create Near
Expunge Near
Sync Pull
SyncState *
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mirror:
    """The sandbox's Dovecot offers no COMPRESS, so none is used."""

    mailbox: SandboxMailbox
    directory: Path
    port: int

    def run(self) -> None:
        """One whole run, from the process's start to its end."""
        mail = self.directory / "mail"
        mail.mkdir(exist_ok=True)
        config = self.directory / "mbsyncrc"
        config.write_text(
            CONFIG.format(
                port=self.port,
                user=self.mailbox.address,
                password=self.mailbox.password,
                ca_file=self.mailbox.sandbox.ca_file,
                directory=self.directory,
            )
        )
        config.chmod(0o600)
        done = subprocess.run([program("mbsync"), "-q", "-c", str(config), "all"], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr

    def messages(self) -> int:
        return sum(1 for each in (self.directory / "mail").glob("*/cur/*")) + sum(
            1 for each in (self.directory / "mail").glob("*/new/*")
        )

    def forget(self) -> None:
        """As if it had never run."""
        shutil.rmtree(self.directory / "mail", ignore_errors=True)
