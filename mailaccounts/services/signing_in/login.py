"""Signing in to mail servers, with a stored credential or to prove a new one."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

from django.utils import timezone

from mailaccounts.backends.base import NoTokens
from mailaccounts.backends.registry import backend
from mailaccounts.backends.token_login import ApplicationAuthenticator
from mailaccounts.conf import settings
from mailaccounts.crypto import Secret
from mailaccounts.errors import (
    CredentialMissing,
    MailboxClosed,
    SendingClosed,
    SendingNotAllowed,
    Throttled,
    TokenRejected,
)
from mailaccounts.mail.imap import ImapSession
from mailaccounts.mail.smtp import SmtpSession
from mailaccounts.mail.submission import Submission
from mailaccounts.mail.types import Traffic
from mailaccounts.models import Credential, CredentialState
from mailaccounts.services.limits import breaker
from mailaccounts.services.limits.budget import Meter, rest
from mailaccounts.services.signing_in import server_certificates
from mailaccounts.services.signing_in.tokens import GrantTokens

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from mailaccounts.backends.base import TokenSource
    from mailaccounts.mail.sasl import Authenticator
    from mailaccounts.mail.types import Endpoint, FolderState, Limits
    from mailaccounts.models import MailAccount

PROOF_SECONDS = 45  # that either server may keep a person waiting, and the web server busy

Session = TypeVar("Session", ImapSession, SmtpSession, Submission)


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """That a credential opens a mailbox: IMAP login, SELECT INBOX and, where there is SMTP, its login."""

    at: datetime
    capabilities: frozenset[str]
    inbox: FolderState
    smtp: bool


def active_credential(account: MailAccount) -> Credential:
    """The credential in use; CredentialMissing when there is none."""
    try:
        return Credential.objects.get(account=account, state=CredentialState.ACTIVE)
    except Credential.DoesNotExist:
        raise CredentialMissing(address=account.address) from None


def token_source(credential: Credential) -> TokenSource:
    """Where the access tokens of ``credential`` come from."""
    return GrantTokens(credential.grant_id) if credential.grant_id else NoTokens()


def authenticator_for(credential: Credential, *, protocol: str, tokens: TokenSource | None = None) -> Authenticator:
    """Hands out the ability to sign in with ``credential`` at the "imap" or "smtp" server, not what it is made of.

    At a shared mailbox the person behind it signs in to send: servers take nobody else's token there.
    """
    tokens = tokens or token_source(credential)
    secret = credential.secret or Secret(b"")
    username = (credential.smtp_username if protocol == "smtp" else "") or credential.username
    return backend(credential.backend).authenticator(username, secret, tokens)


def open_imap(account: MailAccount, *, limits: Limits | None = None) -> ImapSession:
    """An IMAP session with the account's active credential. As every session with a stored credential, it raises
    AllowanceSpent and ServerDown besides what signing in raises."""
    return open_with(active_credential(account), account.imap, limits=limits)


def open_smtp(account: MailAccount) -> Submission:
    """An SMTP session with the account's active credential; SendingNotAllowed for an account that only reads."""
    if account.smtp is None:
        raise SendingNotAllowed(address=account.address)
    return _open_metered(Submission, active_credential(account), account.smtp)


def open_with(
    credential: Credential, imap: Endpoint, *, limits: Limits | None = None, tokens: TokenSource | None = None
) -> ImapSession:
    """An IMAP session with ``credential``, in use or not; with ``tokens`` instead of its own, if given."""
    return _open_metered(ImapSession, credential, imap, limits=limits, tokens=tokens)


def open_once(kind: type[Session], credential: Credential, endpoint: Endpoint) -> Session:
    """A session with a credential that is being proven: within the time of a proof, and tried once as ``verify``."""
    authenticator = authenticator_for(credential, protocol=endpoint.protocol)
    renews = isinstance(authenticator, ApplicationAuthenticator)
    return _open_metered(kind, credential, endpoint, limits=proof_limits(), renews=renews)


def proof_limits() -> Limits:
    """What a connection may cost while somebody waits for a proof."""
    limits: Limits = replace(settings.network.limits, session_seconds=PROOF_SECONDS)
    return limits


def verify(
    *,
    imap: Endpoint,
    smtp: Endpoint | None,
    authenticator: Authenticator,
    smtp_authenticator: Authenticator | None = None,
) -> Proof:
    """Proves that ``authenticator`` opens the mailbox, and that it or ``smtp_authenticator`` may send; stores nothing.

    Tries once, for what is proven is new, but even where the server is known to be down, for somebody waits. Only an
    application's token may be an old one, from a grant others use too.
    Includes SELECT: Microsoft accepts logins to mailboxes that then can't be opened.
    """
    limits = proof_limits()
    renews = isinstance(authenticator, ApplicationAuthenticator)
    with _open(ImapSession, imap, authenticator, limits=limits, renews=renews, insist=True) as session:
        inbox, capabilities = session.select("INBOX", readonly=True), session.capabilities
    if smtp is not None:
        sender = smtp_authenticator or authenticator
        with _open(SmtpSession, smtp, sender, limits=limits, renews=renews, insist=True):
            pass
    return Proof(at=timezone.now(), capabilities=capabilities, inbox=inbox, smtp=smtp is not None)


def _open_metered(
    kind: type[Session],
    credential: Credential,
    endpoint: Endpoint,
    *,
    limits: Limits | None = None,
    renews: bool = True,
    tokens: TokenSource | None = None,
) -> Session:
    """Opens a session that counts towards what its mailbox may spend at the provider, until it is closed."""
    limits = limits or settings.network.limits
    authenticator = authenticator_for(credential, protocol=endpoint.protocol, tokens=tokens)
    meter = Meter(endpoint.host, credential.username, session_seconds=limits.session_seconds)
    try:
        session = _open(kind, endpoint, authenticator, limits=limits, renews=renews)
    except BaseException as error:
        meter.close(Traffic(commands=1))
        if isinstance(error, Throttled):
            rest(endpoint.host, credential.username, error.retry_after)
        raise
    session.traffic.meter = meter
    server_certificates.note(endpoint, session.traffic.certificate_ends)
    return session


def _open(
    kind: type[Session],
    endpoint: Endpoint,
    authenticator: Authenticator,
    *,
    limits: Limits | None = None,
    renews: bool = True,
    insist: bool = False,
) -> Session:
    """Opens a session, unless the server is known to be down; who ``insists`` is let through to it all the same.

    A refused token is renewed and tried once more if ``renews``; a refused password never is, since each failure
    counts towards a lock-out.
    """
    # A server that wants fewer connections isn't down: the budget gives it its rest.
    with breaker.guard(endpoint.url, host=endpoint.host, insist=insist, answers=(Throttled,)):
        try:
            return kind.open(endpoint, authenticator, network=settings.network, limits=limits)
        except TokenRejected:
            if not renews:
                raise
        with judged(authenticator, endpoint):
            return kind.open(endpoint, authenticator, network=settings.network, limits=limits, fresh=True)


@contextmanager
def judged(authenticator: Authenticator, endpoint: Endpoint) -> Iterator[None]:
    """Tells what the refusal of a renewed token means: MailboxClosed or SendingClosed if it is an application's."""
    try:
        yield
    except TokenRejected:
        if isinstance(authenticator, ApplicationAuthenticator):
            closed = SendingClosed if endpoint.protocol == "smtp" else MailboxClosed
            raise closed(mailbox=authenticator.username) from None
        raise
