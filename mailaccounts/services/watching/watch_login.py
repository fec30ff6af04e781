"""Signing in for a watcher: a few threads, since a login waits for a server, a token, the database.

Nothing here takes the account's lease or judges the account: both are a sync's.
"""

from __future__ import annotations

import logging
import queue
import random
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.db import close_old_connections, connections
from django.utils import timezone

from mailaccounts.conf import settings
from mailaccounts.errors import AccountChanged, MailAccountsError
from mailaccounts.mail.idle import Idle
from mailaccounts.mail.types import FolderRole
from mailaccounts.models import MailAccount
from mailaccounts.services.signing_in.login import active_credential, open_with, token_source

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from mailaccounts.backends.base import TokenSource
    from mailaccounts.mail.types import FolderState
    from mailaccounts.models import Folder
    from mailaccounts.oauth.types import AccessToken

THREADS = 6
SPARE_SECONDS = 180.0  # of an access token's life: a watcher has signed in anew by then

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A connection that waits for news. ``behind``: the folder isn't as the last sync left it. ``until`` is an instant
    of time.monotonic(): by then the token is about to expire."""

    idle: Idle
    behind: bool
    until: float | None


class Logins:
    """Threads that sign in. ``outcome`` gives what came of it, in whatever order."""

    def __init__(self, *, wake: Callable[[], None]) -> None:
        """``wake`` is called, from a thread, when there is an outcome."""
        self._wake = wake
        self._wanted: queue.SimpleQueue[int | None] = queue.SimpleQueue()
        self._outcomes: queue.SimpleQueue[tuple[int, Opened | MailAccountsError]] = queue.SimpleQueue()
        # Not daemons: a refreshed token has to be saved even if the process is about to end.
        self._threads = [threading.Thread(target=self._work, name=f"login-{n}") for n in range(THREADS)]
        for thread in self._threads:
            thread.start()

    def begin(self, account_id: int) -> None:
        self._wanted.put(account_id)

    def outcome(self) -> tuple[int, Opened | MailAccountsError] | None:
        """The account and its connection, or why there is none; None when nothing has come yet."""
        try:
            return self._outcomes.get_nowait()
        except queue.Empty:
            return None

    def stop(self) -> None:
        """Returns once the logins under way have ended, and closes what they opened."""
        while not self._wanted.empty():
            self._wanted.get()
        for _ in self._threads:
            self._wanted.put(None)
        for thread in self._threads:
            thread.join()
        while (ended := self.outcome()) is not None:
            if isinstance(ended[1], Opened):
                ended[1].idle.close(politely=True)

    def _work(self) -> None:
        while (account_id := self._wanted.get()) is not None:
            close_old_connections()
            outcome: Opened | MailAccountsError
            try:
                outcome = open_idle(account_id)
            except MailAccountsError as error:
                outcome = error
            except Exception as error:  # noqa: BLE001 - a fault of ours with one account must not cost the others
                logger.error("account %d can't be watched: %s", account_id, type(error).__name__)
                outcome = MailAccountsError()
            self._outcomes.put((account_id, outcome))
            self._wake()
        connections.close_all()


def open_idle(account_id: int) -> Opened:
    """Signs in to an account's mailbox and waits for news of the folder that new mail comes to.

    Besides what signing in raises: AccountChanged when the account is gone, FolderMissing when the folder is,
    IdleMissing when the server has no IDLE.
    """
    account = MailAccount.objects.filter(pk=account_id).first()
    if account is None:
        raise AccountChanged(address="The account")
    credential = active_credential(account)
    tokens, folder = _Noting(token_source(credential)), _folder_to_watch(account)
    with open_with(credential, account.imap, tokens=tokens) as session:
        seen = session.select(folder.name if folder else "INBOX")
        now = time.monotonic()
        idle = Idle.take_over(session, seen, host=account.imap_host, renewal=settings.watch_renew_seconds, now=now)
    return Opened(idle=idle, behind=folder is None or _is_behind(folder, seen), until=_until(tokens.expires_at))


class _Noting:
    """A token source that remembers until when the token it gave last is good."""

    def __init__(self, tokens: TokenSource) -> None:
        self._tokens = tokens
        self.expires_at: datetime | None = None

    def access_token(self, *, fresh: bool = False) -> AccessToken:
        token = self._tokens.access_token(fresh=fresh)
        self.expires_at = token.expires_at
        return token


def _folder_to_watch(account: MailAccount) -> Folder | None:
    """The inbox, or all mail where that is read instead; None when neither has been read yet."""
    read = account.folders.filter(uidvalidity__isnull=False, missing_since=None)
    rows = {folder.role: folder for folder in read.filter(role__in=(FolderRole.INBOX, FolderRole.ALL))}
    return rows.get(FolderRole.INBOX) or rows.get(FolderRole.ALL)


def _is_behind(folder: Folder, seen: FolderState) -> bool:
    """Whether something has happened in the folder since a sync last went through it."""
    if (folder.uidvalidity, folder.uidnext) != (seen.uidvalidity, seen.uidnext):
        return True
    if seen.highestmodseq is not None and folder.highestmodseq is not None:
        return seen.highestmodseq != folder.highestmodseq
    return folder.exists != seen.exists


def _until(expires_at: datetime | None) -> float | None:
    """When to sign in anew: so late that the token is renewed for it (signing_in.tokens), and some time before it
    expires. Those that began together don't end together."""
    if expires_at is None:
        return None
    left = (expires_at - timezone.now()).total_seconds()
    spare = min(SPARE_SECONDS * random.uniform(1, 1.5), left / 5)  # noqa: S311 - spreads load
    return time.monotonic() + left - spare
