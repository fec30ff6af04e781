"""Which accounts a command is for: those named, or all that are connected, have begun and are not paused."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailaccounts.management._output import usage_error
from mailaccounts.models import AccountStatus, MailAccount

if TYPE_CHECKING:
    from django.core.management.base import CommandParser


def add_account_arguments(parser: CommandParser, *, verb: str) -> None:
    parser.add_argument("address", nargs="*", metavar="ADDRESS", help=f"the mailboxes to {verb}")
    parser.add_argument("--all", action="store_true", help="every connected mailbox that has begun and isn't paused")


def chosen_accounts(addresses: list[str], *, everyone: bool, verb: str) -> list[MailAccount]:
    """Each account once; CommandError with status 2 for an address without one, or when nobody is named."""
    if everyone == bool(addresses):
        raise usage_error(f"Name the mailboxes to {verb}, or say --all.")
    accounts = MailAccount.objects.order_by("address", "pk")
    if everyone:
        return list(accounts.exclude(status=AccountStatus.DISCONNECTED).filter(paused_at__isnull=True, begun=True))
    found: dict[int, MailAccount] = {}
    for address in addresses:
        matches = accounts.filter(address__iexact=address)
        if not matches:
            raise usage_error(f"There is no mail account {address}. Connect it with connect_mailbox first.")
        found.update((account.pk, account) for account in matches)
    return list(found.values())
