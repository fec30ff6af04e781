"""Compares mailboxes with what is stored of them."""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING, Any

from mailaccounts.errors import MailAccountsError
from mailaccounts.management._accounts import add_account_arguments, chosen_accounts
from mailaccounts.management._output import FAILED, OutputCommand
from mailaccounts.services.checking.compare import Comparison, compare_account
from mailaccounts.services.checking.repair import repair_account

if TYPE_CHECKING:
    from django.core.management.base import CommandParser

    from mailaccounts.models import MailAccount

logger = logging.getLogger(__name__)

HEADS = ("ACCOUNT", "FOLDERS", "EXPECTED", "PRESENT", "MISSING", "DUPLICATED", "")


class Command(OutputCommand):
    help = (
        "Compares mailboxes with what is stored of them: exit status 0 when they agree, 1 when one doesn't, or failed."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        add_account_arguments(parser, verb="compare")
        parser.add_argument("--repair", action="store_true", help="fetch what is missing, merge what is there twice")
        super().add_arguments(parser)

    def handle(self, *, address: list[str], **options: Any) -> None:
        results = []
        for account in chosen_accounts(address, everyone=options["all"], verb="compare"):
            result = self._compare(account, repairs=options["repair"])
            results.append(result)
            if options["json"]:
                self.emit(result.as_json())
        self.progress("")
        if not options["json"]:
            self.table(HEADS, [_row(result) for result in results])
        if not all(result.agrees for result in results):
            sys.exit(FAILED)

    def _compare(self, account: MailAccount, *, repairs: bool) -> Comparison:
        """What was found; after a repair, what is left of it."""

        def show(stage: str) -> None:
            self.progress(f"{account.address}: {stage}")

        try:
            result = compare_account(account.pk, progress=show)
            if repairs and result.error is None and not result.agrees:
                result = repair_account(account.pk, result, progress=show)
        except Exception as error:  # noqa: BLE001 - a fault of ours with one account must not cost the others
            logger.error("account %d: %s", account.pk, type(error).__name__)
            result = Comparison(account=account.address, error=MailAccountsError())
        return result


def _row(result: Comparison) -> tuple[object, ...]:
    return (
        result.account,
        result.folders,
        result.expected,
        result.expected - result.missing_count,
        result.missing_count,
        len(result.doubled),
        result.error.message if result.error else "",
    )
