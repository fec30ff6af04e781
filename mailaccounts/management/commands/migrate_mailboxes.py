"""migrate_mailboxes: moves mailboxes to OAuth, at once where an organisation lets us in, else by inviting owners."""

from __future__ import annotations

import logging
import sys
import time
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

from django.utils import timezone

from mailaccounts.errors import MailAccountsError
from mailaccounts.management._output import FAILED, OutputCommand, usage_error
from mailaccounts.rules.migration_states import MigrationState
from mailaccounts.services.campaigns import campaign, campaign_work, readiness
from mailaccounts.services.campaigns.campaign import Selection
from mailaccounts.services.campaigns.readiness import Way
from mailaccounts.services.consents.consent import backend_slug
from mailaccounts.services.organisations import apponly

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from django.core.management.base import CommandParser

    from mailaccounts.models import MigrationStep
    from mailaccounts.services.campaigns.readiness import Readiness

logger = logging.getLogger(__name__)

READY_HEADS = ("ACCOUNT", "PROVIDER", "SIGNS IN WITH", "MOVES", "")
HEADS = ("ACCOUNT", "STATE", "BEFORE", "AFTER", "SECONDS", "")
MOVES = {Way.AT_ONCE: "at once", Way.OWNER: "needs its owner", Way.CANNOT: "can't"}
NO_FAILURE = {"on_it_already", "already_moving"}  # running the command again is no failure


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What came of one account. ``state`` is its step's, "" when it can't move."""

    account: str
    state: str
    before: str
    after: str
    seconds: float
    error: MailAccountsError | None

    def as_json(self) -> dict[str, Any]:
        return {
            "account": self.account,
            "state": self.state,
            "before": self.before,
            "after": self.after,
            "seconds": round(self.seconds, 3),
            "error": self.error.as_json() if self.error else None,
        }


class Command(OutputCommand):
    help = (
        "Moves mailboxes from a password to OAuth: at once where their organisation's administrator has consented, "
        "else by inviting their owners. Exit status 0 when all went well, 1 when an account failed or can't move."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("address", nargs="*", metavar="ADDRESS", help="the mailboxes to move")
        parser.add_argument("--domain", metavar="D", default="", help="every mailbox of a domain")
        parser.add_argument("--provider", metavar="P", default="", help="every mailbox of a provider")
        slugs = [slug for slug in (backend_slug(), apponly.backend_slug()) if slug]
        parser.add_argument("--to", required=True, choices=slugs, help="whose consent: each owner's, or app_only")
        parser.add_argument("--dry-run", action="store_true", help="say which could move, and change nothing")
        super().add_arguments(parser)

    def handle(self, *, address: list[str], **options: Any) -> None:
        found = readiness.judge(_accounts(address, options), app_only=options["to"] == apponly.backend_slug())
        if options["dry_run"]:
            self._tell(found, as_json=options["json"])
            failed = any(_is_failure(each.trouble) for each in found)
        else:
            reports = list(self._move(found, to=options["to"], as_json=options["json"]))
            failed = any(_is_failure(each.error) for each in reports)
            if not options["json"]:
                self.table(HEADS, map(_row, reports))
        if failed:
            sys.exit(FAILED)

    def _tell(self, found: Iterable[Readiness], *, as_json: bool) -> None:
        if not as_json:
            self.table(READY_HEADS, map(_ready_row, found))
            return
        for each in found:
            error = each.trouble.as_json() if each.trouble else None
            ready = {"account": each.account.address, "provider": each.provider, "before": each.before}
            self.emit({**ready, "moves": each.way.value, "error": error})

    def _move(self, found: list[Readiness], *, to: str, as_json: bool) -> Iterator[Report]:
        """One account after another, each with how it went."""
        for done, report in enumerate(self._reports(found, to=to), start=1):
            if as_json:
                self.emit(report.as_json())
            else:
                self.progress(f"{done} of {len(found)}: {report.account}")
            yield report
        self.progress("")

    def _reports(self, found: list[Readiness], *, to: str) -> Iterator[Report]:
        """A campaign for each registration, so that its board shows what came of it."""
        for each in found:
            if each.way is Way.CANNOT:
                yield _report(each.account.address, "", each.before, "", 0.0, each.trouble)
        movers = sorted((each for each in found if each.client), key=lambda each: str(each.client and each.client.pk))
        for _, group in groupby(movers, key=lambda each: each.client and each.client.pk):
            several = list(group)
            client = several[0].client
            if client is None:
                continue
            name = f"migrate_mailboxes, {timezone.localtime():%Y-%m-%d %H:%M}"
            run = campaign.create(several, name=name, to=to, client=client)
            for step in run.steps.select_related("account__owner", "run__client").order_by("address"):
                yield _begin(step)


def _begin(step: MigrationStep) -> Report:
    """Takes one account as far as it gets."""
    started, error = time.monotonic(), None
    try:
        campaign_work.begin(step)
    except MailAccountsError as stopped:
        error = stopped
    except Exception as fault:  # noqa: BLE001 - a fault of ours with one account must not cost the others
        logger.error("account %s: %s", step.account_id, type(fault).__name__)
        error = MailAccountsError()
    step.refresh_from_db()
    after = step.after if step.state == MigrationState.SWITCHED else ""
    return _report(step.address, step.state, step.before, after, time.monotonic() - started, error)


def _report(
    account: str, state: str, before: str, after: str, seconds: float, error: MailAccountsError | None
) -> Report:
    return Report(account=account, state=state, before=before, after=after, seconds=seconds, error=error)


def _accounts(addresses: list[str], options: dict[str, Any]) -> Any:
    """The accounts that are named; CommandError with status 2 for none."""
    if bool(addresses) + bool(options["domain"]) + bool(options["provider"]) != 1:
        raise usage_error("Name the mailboxes to move, or say --domain or --provider.")
    chosen = Selection(provider=options["provider"], domain=options["domain"], addresses=tuple(addresses))
    found = chosen.accounts()
    if unknown := chosen.unknown(found):
        raise usage_error(f"There is no mail account {', '.join(unknown)}. Check how it is spelled.")
    if not found:
        raise usage_error(
            f"There is no mail account at {options['domain']}. Check how it is spelled."
            if options["domain"]
            else f"There is no mail account of {options['provider']}. A provider goes by its slug, such as microsoft."
        )
    return found


def _is_failure(error: MailAccountsError | None) -> bool:
    return error is not None and error.code not in NO_FAILURE


def _ready_row(each: Readiness) -> tuple[object, ...]:
    said = each.trouble.message if each.trouble else ""
    return (each.account.address, each.provider or "-", each.before or "-", MOVES[each.way], said)


def _row(report: Report) -> tuple[object, ...]:
    said = report.error.message if report.error else ""
    seconds = f"{report.seconds:.1f}"
    return (report.account, report.state or "-", report.before or "-", report.after or "-", seconds, said)
