"""Who may send a message, asked anew each time it is about to go: between writing and sending, people leave."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailaccounts.errors import AccountDisconnected, QuotedWithdrawn, SenderDeparted, SendingPaused
from mailaccounts.hooks import hooks
from mailaccounts.models import AccountStatus, Outgoing
from mailaccounts.services.sending import quoted

if TYPE_CHECKING:
    from typing import Any

PAUSE_SECONDS = 60.0  # until a resumed account's message goes


def insist(message: Outgoing) -> None:
    """That it may go out as things stand in the database now: SenderDeparted, QuotedWithdrawn,
    AccountDisconnected, SendingPaused.

    Whoever wrote it is an owner that manages the account; nobody wrote what the host sends for itself.
    """
    now = Outgoing.objects.select_related("account__owner", "author").defer("raw").get(pk=message.pk)
    account, author = now.account, now.author
    writes = author is None or (_is_active(author) and hooks().can_manage(author, account))
    if not (writes and _is_active(account.owner)):
        raise SenderDeparted(address=account.address)
    if quoted.is_withdrawn(now):
        raise QuotedWithdrawn
    if account.status == AccountStatus.DISCONNECTED:
        raise AccountDisconnected(address=account.address)
    if account.paused_at is not None:
        raise SendingPaused(retry_after=PAUSE_SECONDS, address=account.address)


def _is_active(user: Any) -> bool:
    return bool(getattr(user, "is_active", True))
