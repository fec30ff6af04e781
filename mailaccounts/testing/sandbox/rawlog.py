"""Dovecot's rawlogs: what was said on the wire after login."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mailaccounts.testing.sandbox.mailbox import MARK

if TYPE_CHECKING:
    from pathlib import Path

STAMP = re.compile(rb"^(\d+\.\d+) ", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class RawLog:
    """One session: what the client sent and what the server answered, without Dovecot's time stamps.

    ``began`` and ``ended`` are the first and the last of these, in seconds of the epoch.
    """

    name: str
    began: float
    ended: float
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
        raw = path.read_bytes()
        if MARK not in raw:
            answers = path.with_suffix(".out").read_bytes()
            stamps = [float(stamp) for stamp in STAMP.findall(raw + answers)]
            logs.append(
                RawLog(
                    name=path.stem,
                    began=min(stamps, default=0.0),
                    ended=max(stamps, default=0.0),
                    sent=STAMP.sub(b"", raw),
                    received=STAMP.sub(b"", answers),
                )
            )
    return logs
