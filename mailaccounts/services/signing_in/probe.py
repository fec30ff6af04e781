"""The way into a mailbox, tried step by step: what works, how long each step takes, and where it ends and why."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from mailaccounts.conf import settings
from mailaccounts.errors import AuthenticationRejected, MailAccountsError, TokenRejected
from mailaccounts.mail.imap import ImapSession
from mailaccounts.mail.smtp import SmtpSession
from mailaccounts.mail.watched import Step, StepName, Trail, WatchedNetwork
from mailaccounts.services.signing_in.login import active_credential, authenticator_for, judged

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mailaccounts.mail.sasl import Authenticator
    from mailaccounts.mail.types import Endpoint
    from mailaccounts.models import MailAccount

    SignIn = Callable[[str], Authenticator]  # for "imap" or "smtp"
    Session = ImapSession | SmtpSession

CAPABILITY = re.compile(r"[A-Z0-9][A-Z0-9+=_./-]{0,39}")
MOST_CAPABILITIES = 80


def probe_account(account: MailAccount) -> Iterator[Step]:
    """Tries the servers of ``account`` with its active credential."""

    def sign_in(protocol: str) -> Authenticator:
        return authenticator_for(active_credential(account), protocol=protocol)

    return probe(account.imap, smtp=account.smtp, sign_in=sign_in)


def probe(imap: Endpoint, *, smtp: Endpoint | None = None, sign_in: SignIn | None = None) -> Iterator[Step]:
    """Tries to get into a mailbox; stores nothing, and ends at each server with the first step that fails.

    Without ``sign_in`` it goes as far as one gets without a credential. What IMAP refused isn't shown to SMTP: each
    failure counts towards a lock-out.
    """
    refused = False
    for endpoint in (imap, smtp):
        if endpoint is None:
            continue
        for step in _Probe(endpoint, sign_in=sign_in, refused=refused).run():
            refused = refused or isinstance(step.error, AuthenticationRejected)
            yield step


class _Probe:
    """The steps at one server."""

    def __init__(self, endpoint: Endpoint, *, sign_in: SignIn | None, refused: bool) -> None:
        self._endpoint, self._sign_in, self._refused = endpoint, sign_in, refused
        self._trail = Trail(endpoint.protocol)

    def run(self) -> Iterator[Step]:
        network = WatchedNetwork.of(settings.network, self._trail)
        kind: type[Session] = ImapSession if self._endpoint.protocol == "imap" else SmtpSession
        try:
            session = kind(self._endpoint, network=network, limits=network.limits)
        except MailAccountsError as error:
            self._trail.failed(error)
            yield from self._trail.take()
            return
        with session:
            self._trail.greeted(StepName.CAPABILITIES)  # which told them, so that nobody had to ask
            self._trail.done(capabilities=_printable(session.capabilities))
            yield from self._trail.take()
            if self._sign_in is None:
                return
            if self._refused:
                yield Step(server=self._endpoint.protocol, name=StepName.LOGIN, skipped=True)
                return
            yield from self._enter(session, self._sign_in)

    def _enter(self, session: Session, sign_in: SignIn) -> Iterator[Step]:
        self._trail.begin(StepName.LOGIN)
        try:
            with self._signed_in(session, sign_in(self._endpoint.protocol)) as inside:
                self._trail.done(capabilities=_printable(inside.capabilities))
                yield from self._trail.take()
                if isinstance(inside, ImapSession):
                    self._trail.begin(StepName.SELECT)
                    self._trail.done(messages=inside.select("INBOX", readonly=True).exists)
        except MailAccountsError as error:
            self._trail.failed(error)
        yield from self._trail.take()

    def _signed_in(self, session: Session, authenticator: Authenticator) -> Session:
        """As a sync signs in: a refused token is renewed and tried once more, on a new connection."""
        try:
            session.sign_in(authenticator)
        except TokenRejected:
            with judged(authenticator, self._endpoint):
                return type(session).open(self._endpoint, authenticator, network=settings.network, fresh=True)
        return session


def _printable(capabilities: frozenset[str]) -> list[str]:
    """Those that look like capabilities: a server may call them what it likes."""
    return sorted(name for name in capabilities if CAPABILITY.fullmatch(name))[:MOST_CAPABILITIES]
