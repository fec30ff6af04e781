"""rotate_keys: seals every stored secret with the first key, so that the others can go. The site may run meanwhile."""

from __future__ import annotations

import sys
from functools import partial
from typing import TYPE_CHECKING, Any

from django.core.management.base import CommandError

from mailaccounts.errors import VaultError
from mailaccounts.management._output import FAILED, OutputCommand
from mailaccounts.services.running.keys import column_name, rotate, sealed_columns

if TYPE_CHECKING:
    from mailaccounts.services.running.keys import ColumnReport

HEADS = ("COLUMN", "SEALED", "CURRENT", "RESEALED", "UNREADABLE", "MISSING KEYS")


class Command(OutputCommand):
    help = "Seals every stored secret with the first of MAILACCOUNTS_SECRET_KEYS. Can be interrupted and run again."
    requires_system_checks = ("mailaccounts",)  # a key that can't be used is told in words

    def handle(self, *args: Any, **options: Any) -> None:
        reports = []
        try:
            for field in sealed_columns():
                reports.append(rotate(field, progress=partial(self._tell, column_name(field))))
                if options["json"]:
                    self.emit(reports[-1].as_json())
        except KeyboardInterrupt:
            raise CommandError("Interrupted. What was sealed anew stays so; run it again to go on.") from None
        except VaultError as error:
            self.fail(error, as_json=options["json"])
        self.progress("")
        if not options["json"]:
            self.table(HEADS, [_row(report) for report in reports])
        if not all(report.is_done for report in reports):
            self.stderr.write("Some secrets aren't under the first key yet: keep the other keys.")
            if missing := sorted({key for report in reports for key in report.missing_keys}):
                self.stderr.write(f"Add what is missing ({', '.join(missing)}) behind it, and run this again.")
            sys.exit(FAILED)

    def _tell(self, column: str, resealed: int) -> None:
        if resealed % 100 == 0:
            self.progress(f"{column}: {resealed} sealed anew")


def _row(report: ColumnReport) -> tuple[object, ...]:
    counts = (report.sealed, report.current, report.resealed, report.unreadable)
    return (report.column, *counts, ", ".join(report.missing_keys))
