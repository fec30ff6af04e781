"""Syncs mailboxes now, in the foreground."""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING, Any

from mailaccounts.errors import MailAccountsError
from mailaccounts.management._accounts import add_account_arguments, chosen_accounts
from mailaccounts.management._output import FAILED, OutputCommand
from mailaccounts.models import MailAccount
from mailaccounts.services.syncing.report import SyncReport
from mailaccounts.services.syncing.sync import sync_account

if TYPE_CHECKING:
    from django.core.management.base import CommandParser

logger = logging.getLogger(__name__)

HEADS = ("ACCOUNT", "STATUS", "FOLDERS", "EXAMINED", "MATCHED", "STORED", "BODIES", "SECONDS", "")


class Command(OutputCommand):
    help = "Syncs mailboxes now and reports on each: exit status 0 when all went well, 1 when an account failed."

    def add_arguments(self, parser: CommandParser) -> None:
        add_account_arguments(parser, verb="sync")
        super().add_arguments(parser)

    def handle(self, *, address: list[str], **options: Any) -> None:
        reports = []
        for account in chosen_accounts(address, everyone=options["all"], verb="sync"):
            report = self._sync(account)
            reports.append(report)
            if options["json"]:
                self.emit(report.as_json())
        self.progress("")
        if not options["json"]:
            self.table(HEADS, [_row(report) for report in reports])
        if any(report.error for report in reports):
            sys.exit(FAILED)

    def _sync(self, account: MailAccount) -> SyncReport:
        """Goes on until nothing is left: the time budget is for workers that have other accounts waiting."""

        def show(stage: str) -> None:
            self.progress(f"{account.address}: {stage}")

        report = SyncReport(account=account.address, status=account.status)
        try:
            while not report.finished and report.error is None:
                report.add(sync_account(account.pk, progress=show))
        except Exception as error:  # noqa: BLE001 - a fault of ours with one account must not cost the others
            logger.error("account %d: %s", account.pk, type(error).__name__)
            report.error = MailAccountsError()
            now = MailAccount.objects.filter(pk=account.pk).values_list("status", flat=True)
            report.status = now.first() or account.status
        return report


def _row(report: SyncReport) -> tuple[object, ...]:
    return (
        report.account,
        report.status,
        report.folders,
        report.examined,
        report.matched,
        report.stored,
        report.bodies_fetched,
        f"{report.seconds:.1f}",
        report.error.message if report.error else "",
    )
