"""probe_mailbox: tries the way into a mailbox step by step, and says where it ends, why, and what helps."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from mailaccounts.backends.plain_login import PasswordAuthenticator
from mailaccounts.crypto import Secret
from mailaccounts.errors import InvalidInput
from mailaccounts.mail.types import Endpoint
from mailaccounts.management._output import FAILED, OutputCommand, usage_error
from mailaccounts.management._secret import read_secret
from mailaccounts.models import MailAccount
from mailaccounts.services.signing_in.probe import probe, probe_account

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from django.core.management.base import CommandParser

    from mailaccounts.mail.watched import Step

HEADS = ("SERVER", "STEP", "RESULT", "MS", "")


class Command(OutputCommand):
    help = "Tries the servers of a mailbox step by step: DNS, policy, TCP, TLS, greeting, capabilities, login, INBOX."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("address", nargs="?", metavar="ADDRESS", help="a connected mailbox")
        parser.add_argument("--imap", metavar="URL", help="imaps://HOST:PORT or imap+starttls://HOST:PORT")
        parser.add_argument("--smtp", metavar="URL", help="smtps://HOST:PORT or smtp+starttls://HOST:PORT")
        parser.add_argument("--username", metavar="U", help="signs in with a password, too")
        parser.add_argument("--secret-file", metavar="FILE", help="file with the password; - reads it from stdin")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            probes = list(_probes(options))
        except InvalidInput as error:
            self.fail(error, as_json=options["json"])
        failed = False
        for address, steps in probes:
            failed = self._show(address, steps, as_json=options["json"]) or failed
        if failed:
            sys.exit(FAILED)

    def _show(self, address: str, steps: Iterable[Step], *, as_json: bool) -> bool:
        """Prints steps as they come, or as a table; whether one failed."""
        seen = []
        for step in steps:
            seen.append(step)
            if as_json:
                self.emit({"account": address or None, **step.as_json()})
            else:
                self.progress(f"{step.server}: {step.name}")
        if not as_json:
            self.progress("")
            if address:
                self.stdout.write(address)
            self.table(HEADS, [_row(step) for step in seen])
        return any(step.error for step in seen)


def _probes(options: dict[str, Any]) -> Iterator[tuple[str, Iterable[Step]]]:
    """What to probe: an address and its steps to come. CommandError with status 2, InvalidInput."""
    address, imap = options["address"], options["imap"]
    by_hand = [options[name] for name in ("smtp", "username", "secret_file")]
    if bool(address) == bool(imap) or (address and any(by_hand)):
        raise usage_error(
            "Name a connected mailbox, or a server with --imap; --smtp and --username go with the latter."
        )
    if options["secret_file"] and not options["username"]:
        raise usage_error("--secret-file needs --username.")
    if imap:
        smtp = Endpoint.from_url(options["smtp"], protocol="smtp") if options["smtp"] else None
        endpoint, authenticator = Endpoint.from_url(imap, protocol="imap"), _authenticator(options)
        yield "", probe(endpoint, smtp=smtp, sign_in=(lambda _: authenticator) if authenticator else None)
        return
    accounts = MailAccount.objects.filter(address__iexact=address).order_by("pk")
    if not accounts:
        raise usage_error(f"There is no mail account {address}. Try its server: --imap imaps://HOST:993")
    for account in accounts:
        yield account.address, probe_account(account)


def _authenticator(options: dict[str, Any]) -> PasswordAuthenticator | None:
    if not options["username"]:
        return None
    return PasswordAuthenticator(options["username"], Secret(read_secret(options["secret_file"], label="Password")))


def _row(step: Step) -> tuple[object, ...]:
    result = "FAILED" if step.error else "not tried" if step.skipped else "ok"
    return (step.server, step.name.value, result, step.milliseconds, step.error.message if step.error else _told(step))


def _told(step: Step) -> str:
    """The details of a step in a line."""
    return "; ".join(
        f"{name} {', '.join(map(str, value)) if isinstance(value, list) else value}"
        for name, value in step.details.items()
    )
