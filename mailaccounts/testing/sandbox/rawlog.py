"""Dovecot's rawlogs: what was said on the wire after login."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mailaccounts.testing.sandbox.mailbox import MARK

if TYPE_CHECKING:
    from pathlib import Path

STAMP = re.compile(rb"^\d+\.\d+ ", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class RawLog:
    """One session: what the client sent and what the server answered, without Dovecot's time stamps."""

    name: str
    sent: bytes = field(repr=False)
    received: bytes = field(repr=False)

    @property
    def commands(self) -> list[str]:
        """The lines the client sent."""
        return self.sent.decode(errors="replace").splitlines()


def read_rawlogs(directory: Path) -> list[RawLog]:
    """The sessions logged in ``directory``, oldest first, without the sandbox's own."""
    logs = []
    for path in sorted(directory.glob("*.in"), key=lambda path: (path.stat().st_mtime_ns, path.name)):
        sent = STAMP.sub(b"", path.read_bytes())
        if MARK not in sent:
            received = STAMP.sub(b"", path.with_suffix(".out").read_bytes())
            logs.append(RawLog(name=path.stem, sent=sent, received=received))
    return logs
