"""AccountDraft: an account as it was asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datetime import date

    from mailaccounts.mail.types import Endpoint


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountDraft:
    """``smtp`` is None for one that only reads.

    An empty ``username`` stands for the address. Mail before ``since`` is left alone; None means as many days as the
    settings say, for nobody wants a whole archive by accident. Unless it ``begins`` at once, no sync reads the account
    until its owner has said how far back mail is wanted (services.connecting.begin).
    """

    owner: Any
    address: str
    username: str = ""
    imap: Endpoint
    smtp: Endpoint | None = None
    since: date | None = None
    begins: bool = True
