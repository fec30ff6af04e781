"""Found: a message in a mailbox that is to be stored."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mailaccounts.mail.types import NOTHING, Provided
from mailaccounts.rules.threads import Letter, provider_key
from mailaccounts.services.syncing.quarantine import Troublesome

if TYPE_CHECKING:
    from datetime import datetime

    from mailaccounts.mail.headers import Headers
    from mailaccounts.mail.parse import Content
    from mailaccounts.models import Fault


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A matched message. ``content`` is None when its body is not known, or stored already."""

    uid: int
    size: int
    received_at: datetime
    headers: Headers
    flags: frozenset[str] = frozenset()
    provided: Provided = NOTHING
    content: Content | None = field(default=None, repr=False)

    def in_trouble(self, fault: Fault) -> Troublesome:
        return Troublesome(
            uid=self.uid,
            fault=fault,
            size=self.size,
            received_at=self.received_at,
            fingerprint=self.headers.fingerprint,
        )

    @property
    def keys(self) -> tuple[str, ...]:
        """What ties the message to others."""
        return self.headers.thread_keys + provider_key(self.provided.thread)

    @property
    def letter(self) -> Letter:
        return Letter(uid=self.uid, keys=self.keys, addresses=self.headers.addresses)
