"""Who may send a message, asked anew each time it is about to go: between writing and sending, people leave."""

from __future__ import annotations

from mailaccounts.errors import AccountDisconnected, QuotedWithdrawn, SenderDeparted, SendingPaused
from mailaccounts.hooks import hooks
from mailaccounts.models import AccountStatus, Outgoing
from mailaccounts.selectors import is_deactivated
from mailaccounts.services.sending import quoted

PAUSE_SECONDS = 60.0  # until a resumed account's message goes


def insist(message: Outgoing) -> None:
    """That it may go out as things stand in the database now: SenderDeparted, QuotedWithdrawn,
    AccountDisconnected, SendingPaused.

    Whoever wrote it is an owner that manages the account; nobody wrote what the host sends for itself.
    """
    now = Outgoing.objects.select_related("account__owner", "author").defer("raw").get(pk=message.pk)
    account, author = now.account, now.author
    writes = author is None or (not is_deactivated(author) and hooks().can_manage(author, account))
    if not writes or is_deactivated(account.owner):
        raise SenderDeparted(address=account.address)
    if quoted.is_withdrawn(now):
        raise QuotedWithdrawn
    if account.status == AccountStatus.DISCONNECTED:
        raise AccountDisconnected(address=account.address)
    if account.paused_at is not None:
        raise SendingPaused(retry_after=PAUSE_SECONDS, address=account.address)
