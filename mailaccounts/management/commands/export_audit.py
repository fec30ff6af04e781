"""Writes the audit trail to stdout, for an archive or another system."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from mailaccounts.management._output import OutputCommand, usage_error
from mailaccounts.models import AuditEntry, Look, MailAccount
from mailaccounts.services.trail import audit_export

if TYPE_CHECKING:
    from django.core.management.base import CommandParser


class Command(OutputCommand):
    help = "Writes what was done with accounts, and who looked at somebody's mail, as CSV; oldest first."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--since", metavar="YYYY-MM-DD", help="from this day on (UTC)")
        parser.add_argument("--until", metavar="YYYY-MM-DD", help="up to this day and including it (UTC)")
        parser.add_argument("--account", metavar="ADDRESS", help="of this mailbox only")
        super().add_arguments(parser)

    def handle(self, *, since: str | None, until: str | None, account: str | None, **options: Any) -> None:
        entries, looks = AuditEntry.objects.all(), Look.objects.all()
        begin, end = _day(since) if since else None, _day(until, later=1) if until else None
        if begin and end and begin >= end:
            raise usage_error(f"{since} comes after {until}. Give the earlier day with --since.")
        if begin:
            entries, looks = entries.filter(at__gte=begin), looks.filter(at__gte=begin)
        if end:
            entries, looks = entries.filter(at__lt=end), looks.filter(at__lt=end)
        if account:
            entries, looks = entries.filter(address__iexact=account), looks.filter(account__address__iexact=account)
            if not any(each.objects.filter(address__iexact=account).exists() for each in (AuditEntry, MailAccount)):
                raise usage_error(f"Nothing is noted of a mailbox {account}. Check how it is spelled.")
        write = audit_export.as_json if options["json"] else audit_export.as_csv
        audit_export.note(actor=None, form="json" if options["json"] else "csv")
        for line in write(audit_export.lines(entries, looks)):
            self.stdout.write(line, ending="")


def _day(text: str, *, later: int = 0) -> datetime:
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC) + timedelta(days=later)
    except (ValueError, OverflowError):
        raise usage_error(f"{text} is not a day. Write it as YYYY-MM-DD.") from None
