"""connect_mailbox: connects one mailbox for one user. The secret never stands on the command line."""

from __future__ import annotations

from argparse import ArgumentTypeError
from datetime import date
from typing import TYPE_CHECKING, Any

from django.contrib.auth import get_user_model
from django.core.management.base import CommandError
from django.db.models import Q
from django.utils import timezone

from mailaccounts.backends.base import FormBackend
from mailaccounts.backends.registry import backends
from mailaccounts.conf import settings
from mailaccounts.errors import (
    HostsUnconfirmed,
    InvalidInput,
    MailAccountsError,
    UnknownHosts,
    UnknownOwner,
    UnusableSecret,
)
from mailaccounts.mail.types import Endpoint
from mailaccounts.management._output import FAILED, USAGE, OutputCommand
from mailaccounts.management._secret import read_secret
from mailaccounts.presets import find
from mailaccounts.services.connecting.account_draft import AccountDraft
from mailaccounts.services.connecting.connect import connect
from mailaccounts.services.connecting.detect import detect

if TYPE_CHECKING:
    from django.core.management.base import CommandParser

    from mailaccounts.crypto import Secret
    from mailaccounts.services.connecting.detect import Detection


class ServersNotGiven(UnknownHosts):
    """The same for whoever types a command instead of filling in a form."""

    next_step = "Give them with --imap and --smtp; your provider's help pages list them."


class Command(OutputCommand):
    help = "Connects a mailbox: signs in to its IMAP and SMTP servers and, if that works, stores it and syncs it."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("address", metavar="ADDRESS")
        parser.add_argument("--owner", required=True, metavar="USER", help="user name or e-mail address in the CRM")
        parser.add_argument("--backend", required=True, choices=_form_backends(), help="how to sign in")
        parser.add_argument("--username", default="", metavar="U", help="login name; default: the address")
        parser.add_argument("--imap", metavar="URL", help="imaps://HOST:PORT or imap+starttls://HOST:PORT")
        parser.add_argument("--smtp", metavar="URL", help="smtps://HOST:PORT or smtp+starttls://HOST:PORT")
        parser.add_argument("--secret-file", metavar="FILE", help="file with the password; - reads it from stdin")
        parser.add_argument("--since", type=_date, metavar="YYYY-MM-DD", help="leave older mail alone")

    def handle(self, *args: Any, **options: Any) -> None:
        address, as_json = options["address"], options["json"]
        try:
            draft = self._draft(options)
            secret = _secret(options["backend"], options["secret_file"])
        except MailAccountsError as error:
            self._fail(address, error, as_json=as_json, status=USAGE)
        try:
            account = connect(draft, backend=options["backend"], secret=secret)
        except MailAccountsError as error:
            self._fail(address, error, as_json=as_json, status=FAILED)
        if as_json:
            self.emit({"account": account.address, "status": "connected", "id": account.pk, "error": None})
        else:
            self.stdout.write(f"{account.address} is connected; its first sync is queued.")

    def _draft(self, options: dict[str, Any]) -> AccountDraft:
        """The account asked for; servers that aren't given are found, and stderr tells how.

        UnknownHosts when there are none, HostsUnconfirmed when a domain names servers that aren't its own.
        """
        owner, address = _owner(options["owner"]), options["address"]
        imap = Endpoint.from_url(options["imap"], protocol="imap") if options["imap"] else None
        smtp = Endpoint.from_url(options["smtp"], protocol="smtp") if options["smtp"] else None
        username = options["username"]
        if imap is None:
            if "@" not in address:
                raise InvalidInput(what=f"The address “{address}”")
            found = detect(address, user_id=owner.pk)
            domain = address.rpartition("@")[2] or address
            if found.imap is None:
                raise ServersNotGiven(domain=domain)
            self._tell(found)
            if not found.stays_inside(address):
                raise HostsUnconfirmed(domain=domain)
            imap, smtp, username = found.imap, smtp or found.smtp, username or found.username
        elif preset := find(address, extra=settings.extra_presets):
            username = username or preset.username_for(address)
        return AccountDraft(
            owner=owner, address=address, username=username, imap=imap, smtp=smtp, since=options["since"]
        )

    def _tell(self, found: Detection) -> None:
        who = f" {found.preset.label}," if found.preset else ""
        servers = [f"--{endpoint.protocol} {endpoint.url}" for endpoint in (found.imap, found.smtp) if endpoint]
        self.stderr.write(f"Found ({found.how}):{who} {' '.join(servers)}", style_func=str)

    def _fail(self, address: str, error: MailAccountsError, *, as_json: bool, status: int) -> None:
        if as_json:
            self.emit({"account": address, "status": "failed", "id": None, "error": error.as_json()})
        raise CommandError(error.message, returncode=status)


def _date(text: str) -> date:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise ArgumentTypeError(f"{text!r} is not a date like 2026-01-31") from None
    if day > timezone.localdate():
        raise ArgumentTypeError(f"{text} is still to come")
    return day


def _form_backends() -> list[str]:
    return [slug for slug, backend in backends().items() if isinstance(backend, FormBackend)]


def _owner(name: str) -> Any:
    """The user called ``name``, or the only one with that e-mail address."""
    users = get_user_model()._default_manager
    try:
        return users.get(**{get_user_model().USERNAME_FIELD: name})
    except get_user_model().DoesNotExist:
        found = list(users.filter(Q(email__iexact=name))[:2]) if name else []
    if len(found) != 1:
        raise UnknownOwner(name=name)
    return found[0]


def _secret(slug: str, source: str | None) -> Secret:
    """Reads the secret from a file, stdin or the terminal, and has the backend's form judge it."""
    backend = backends()[slug]
    if not isinstance(backend, FormBackend):
        raise InvalidInput(what=f"The sign-in method “{slug}”")
    name = next(iter(backend.form_class.base_fields))
    form = backend.form_class(data={name: read_secret(source, label=str(backend.label))})
    if not form.is_valid():
        raise UnusableSecret(what=str(backend.label).lower())
    return backend.accept(form.cleaned_data)
