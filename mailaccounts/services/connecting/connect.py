"""Connecting and reconnecting a mailbox. Verified first; nothing half-made is ever stored."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction
from django.utils import timezone

from mailaccounts.backends.base import FormBackend, NoTokens
from mailaccounts.backends.registry import backend as backend_named
from mailaccounts.conf import settings
from mailaccounts.errors import AccountChanged, AlreadyConnected, InvalidInput, UnsafeArgument
from mailaccounts.models import AuditAction, MailAccount
from mailaccounts.services.connecting.identity import pinned
from mailaccounts.services.limits.attempts import count_attempt
from mailaccounts.services.signing_in.credentials import activate, destroy, in_use, lock, replaced, reset_status
from mailaccounts.services.signing_in.login import verify
from mailaccounts.services.trail.audit import note

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mailaccounts.crypto import Secret
    from mailaccounts.mail.types import Endpoint
    from mailaccounts.services.connecting.account_draft import AccountDraft
    from mailaccounts.services.connecting.granted import Granted
    from mailaccounts.services.connecting.wish import Wish


MAX_ADDRESS = 254  # RFC 5321 §4.5.3.1.3, without the angle brackets
MAX_USERNAME = 320  # an address at its longest (RFC 3696 errata 1690)


def connect(draft: AccountDraft, *, backend: str, secret: Secret, actor: Any = None) -> MailAccount:
    """Proves that ``secret`` opens the mailbox, then saves the account and queues its first sync.

    Raises InvalidInput, AlreadyConnected and TooManyAttempts before any network, and what ``verify`` raises. ``actor``
    is the user who does it, None for an operator at the shell.
    """
    method = _form_backend(backend)
    draft = checked(draft)
    username = draft.username or draft.address
    count_attempt(user_id=draft.owner.pk, host=draft.imap.host)
    proof = verify(imap=draft.imap, smtp=draft.smtp, authenticator=method.authenticator(username, secret, NoTokens()))
    with new_account(draft) as account:
        activate(account, backend=backend, username=username, secret=secret, proof=proof)
        note(AuditAction.CONNECTED, account, actor=actor, backend=backend, sends=proof.smtp)
    return account


def connect_granted(granted: Granted, *, actor: Any) -> MailAccount:
    """Proves that what was granted opens the mailbox, then saves the account with it and queues its first sync.

    Raises AlreadyConnected, and what ``Granted.prove`` raises.
    """
    draft = checked(granted.wish.draft)
    proof = granted.prove(owner=None)
    with new_account(draft) as account:
        granted.grant.save()
        activate(account, proof=proof, **granted.credential)
        note(AuditAction.CONNECTED, account, actor=actor, **granted.facts)
    return account


def reconnect_granted(account: MailAccount, granted: Granted, *, actor: Any) -> MailAccount:
    """Proves a new grant against the mailbox, then puts it in the place of what the account signs in with, which is of
    the same kind and destroyed: it is no use for rolling back.

    Raises AccountChanged when the account got other servers since this was wished for, and what ``Granted.prove``
    raises; then everything is as it was.
    """
    insist_on_same_servers(account, granted.wish)
    proof = granted.prove(owner=pinned(account))
    with transaction.atomic():
        insist_on_same_servers(lock(account), granted.wish)
        granted.insist_on_person(pinned(account))  # somebody else may have been faster
        earlier = in_use(account)
        if earlier is not None:
            destroy([earlier])
        granted.grant.save()
        activate(account, proof=proof, **granted.credential)
        replaced(account, earlier, actor=actor, **granted.facts)
        draft = granted.wish.draft
        reset_status(account, clean_syncs=0, **host_columns(draft.imap, draft.smtp))
    return account


def insist_on_same_servers(account: MailAccount, wish: Wish) -> None:
    """The account still has the servers that it had when this was wished for. It may come to send by a server that it
    didn't have, or to send no more; one that moves to other servers has left those of before. AccountChanged."""
    smtp = wish.draft.smtp
    sends_elsewhere = wish.leaves is None and account.smtp is not None and smtp is not None and account.smtp != smtp
    if account.imap != (wish.leaves or wish.draft.imap) or sends_elsewhere:
        raise AccountChanged(address=account.address)


def checked(draft: AccountDraft) -> AccountDraft:
    """The draft, cleaned; InvalidInput, UnsafeArgument and AlreadyConnected for one that can't become an account."""
    address = clean_address(draft.address)
    if MailAccount.objects.filter(owner=draft.owner, address__iexact=address, handed_over_at=None).exists():
        raise AlreadyConnected(address=address)
    return replace(draft, address=address, username=_clean_username(draft.username))


def reconnect(
    account: MailAccount,
    *,
    backend: str,
    username: str,
    secret: Secret,
    imap: Endpoint | None = None,
    smtp: Endpoint | None = None,
    actor: Any = None,
) -> MailAccount:
    """Replaces how the account signs in, in place: folders, cursors, messages and settings stay.

    New hosts come with the credential, never without: a stored secret is not sent to a server it wasn't given for.
    Raises what ``connect`` raises; then everything is as it was.
    """
    method = _form_backend(backend)
    username = _clean_username(username or account.address)
    new_imap, new_smtp = (imap, smtp) if imap else (account.imap, account.smtp)
    count_attempt(user_id=account.owner_id, host=new_imap.host)
    proof = verify(imap=new_imap, smtp=new_smtp, authenticator=method.authenticator(username, secret, NoTokens()))
    with transaction.atomic():
        lock(account)
        earlier = in_use(account)
        destroy(account.credentials.all())
        activate(account, backend=backend, username=username, secret=secret, proof=proof)
        replaced(account, earlier, actor=actor, backend=backend, sends=proof.smtp)
        if (new_imap, new_smtp) != (account.imap, account.smtp):
            note(
                AuditAction.HOSTS_CHANGED,
                account,
                actor=actor,
                imap=new_imap.url,
                smtp=new_smtp.url if new_smtp else "",
            )
        reset_status(account, **host_columns(new_imap, new_smtp))
    return account


@contextmanager
def new_account(draft: AccountDraft) -> Iterator[MailAccount]:
    """An account of this draft, saved together with what the block adds to it; AlreadyConnected when another request
    was faster."""
    try:
        with transaction.atomic():
            yield MailAccount.objects.create(
                owner=draft.owner,
                address=draft.address,
                since=draft.since or timezone.localdate() - timedelta(days=settings.first_sync_days),
                begun=draft.begins,
                next_sync_at=timezone.now() if draft.begins else None,
                **host_columns(draft.imap, draft.smtp),
            )
    except IntegrityError:
        checked(draft)
        raise


def _form_backend(slug: str) -> FormBackend:
    method = backend_named(slug)
    if not isinstance(method, FormBackend):
        raise InvalidInput(what=f"“{method.label}” without a consent")
    return method


def clean_address(address: str) -> str:
    """The address if it can be used: a quoted one could hold control characters, which end a field of XOAUTH2."""
    address = address.strip()
    try:
        validate_email(address)
    except ValidationError:
        raise InvalidInput(what="The address") from None
    if not address.isprintable():
        raise UnsafeArgument(what="The address")
    if len(address) > MAX_ADDRESS:
        raise InvalidInput(what="The address")
    return address


def _clean_username(username: str) -> str:
    if not username.isprintable():
        raise UnsafeArgument(what="The user name")
    if len(username) > MAX_USERNAME:
        raise InvalidInput(what="The user name")
    return username


def host_columns(imap: Endpoint, smtp: Endpoint | None) -> dict[str, Any]:
    """The servers as an account's columns."""
    columns: dict[str, Any] = {
        "imap_host": imap.host,
        "imap_port": imap.port,
        "imap_security": imap.security,
        "smtp_host": "",
    }
    if smtp is not None:
        columns |= {"smtp_host": smtp.host, "smtp_port": smtp.port, "smtp_security": smtp.security}
    return columns
