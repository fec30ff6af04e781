"""The canary: a mailbox that must stay closed to us. An organisation's access is on only while it does."""

from __future__ import annotations

import logging
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.db.models import Q
from django.utils import timezone

from mailaccounts.conf import settings
from mailaccounts.errors import (
    AdminApprovalNeeded,
    AuthenticationRejected,
    AuthorityUnknown,
    CanaryMissing,
    CanaryOpened,
    ClientMissing,
    ClientUnknown,
    MailAccountsError,
    MailboxNotConnected,
    OrganisationError,
    OrganisationOff,
    OrganisationSwitchedOff,
    Throttled,
    UserUnknownAtProvider,
)
from mailaccounts.models import TenantAccess
from mailaccounts.presets import for_provider
from mailaccounts.queue import Job, enqueue
from mailaccounts.services.connecting.connect import clean_address
from mailaccounts.services.limits import shared
from mailaccounts.services.organisations import apponly, tenants
from mailaccounts.services.registering import clients
from mailaccounts.services.signing_in.login import verify
from mailaccounts.services.signing_in.tokens import IssuedTokens

if TYPE_CHECKING:
    from django.db.models import QuerySet

    from mailaccounts.mail.types import Endpoint
    from mailaccounts.models import OAuthClient
    from mailaccounts.oauth.types import Issued

EVERY = timedelta(days=1)
RECENTLY = timedelta(minutes=10)
WAIT_SECONDS, CLAIM_SECONDS, POLL_SECONDS = 30.0, 120, 0.2  # while another worker tries it
TRIES = 3  # Exchange says "not connected" for faults of its own too
PAUSE = 600  # seconds between two looks at what is due, where a server is out of reach
WITHDRAWN = (OrganisationError, AdminApprovalNeeded, AuthorityUnknown, ClientUnknown, UserUnknownAtProvider)

logger = logging.getLogger(__name__)


def name(access: TenantAccess, canary: str, *, actor: Any) -> None:
    """Makes ``canary`` the mailbox that must stay closed, and switches the access by what comes of trying it.

    InvalidInput and OrganisationUnclear for what can't be one, UserUnknownAtProvider for a mailbox that isn't there,
    and what keeps us from trying: then everything is as it was.
    """
    canary = clean_address(canary)
    tenants.insist_on_belonging(access, canary)
    _judge(access, canary, actor=actor, trying=True)


def check(access: TenantAccess, *, actor: Any = None) -> None:
    """Switches the access by what it is worth now: whether we still get tokens that allow to read, and whether its
    canary is still refused. Raises what keeps us from finding out: then everything is as it was."""
    if access.canary:
        _judge(access, access.canary, actor=actor)
    else:
        tenants.switch_off(access, CanaryMissing(), actor=actor)


def insist_on_recent(access: TenantAccess) -> None:
    """Lets mailboxes move only while the canary was refused a moment ago; one of the workers tries it, and the others
    wait for what it finds.

    OrganisationOff; Throttled when that takes long; and what keeps us from trying.
    """
    deadline = time.monotonic() + WAIT_SECONDS
    claim = f"mailaccounts:canary:{access.pk}"
    while access.is_on and not _is_recent(access):
        if shared.add(claim, 1, CLAIM_SECONDS):
            try:
                check(access)
            finally:
                shared.forget(claim)
            break
        if time.monotonic() > deadline:
            raise Throttled(host=access.tenant, retry_after=CLAIM_SECONDS)
        time.sleep(POLL_SECONDS)
        access.refresh_from_db()
    if not access.is_on:
        raise OrganisationOff(organisation=access.tenant)


def check_due() -> int:
    """Checks every access whose day is over, or that there are doubts about; how many."""
    found = list(_due().select_related("client"))
    for access in found:
        try:
            check(access)
        except MailAccountsError as error:
            logger.warning("organisation %s can't be checked now: %s", access.pk, error.code)
    return len(found)


def enqueue_due() -> None:
    """Queues the check, once for all that is due."""
    if _due().exists() and shared.add("mailaccounts:canaries", 1, PAUSE):
        enqueue(Job.CANARIES)


def _is_recent(access: TenantAccess) -> bool:
    return access.canary_checked_at is not None and access.canary_checked_at > timezone.now() - RECENTLY


def _due() -> QuerySet[TenantAccess]:
    """What somebody switched off by hand stays off."""
    over = Q(canary_checked_at__isnull=True) | Q(canary_checked_at__lte=timezone.now() - EVERY)
    return TenantAccess.objects.filter(over).exclude(canary="").exclude(code=OrganisationSwitchedOff.code)


def _judge(access: TenantAccess, canary: str, *, actor: Any, trying: bool = False) -> None:
    """``trying``: somebody has just typed this canary, so that one which isn't there is a mistake."""
    try:
        issued = tenants.fresh_token(access.client, tenant=access.tenant, mailbox=canary)
        tenants.proven(access, issued)
        _insist_on_refusal(access.client, canary, issued)
    except WITHDRAWN as error:
        if trying and isinstance(error, UserUnknownAtProvider):
            raise
        tenants.switch_off(access, error, canary=canary, actor=actor)
    else:
        tenants.switch_on(access, canary=canary, actor=actor)


def _insist_on_refusal(client: OAuthClient, canary: str, issued: Issued) -> None:
    """Tries to open the canary. CanaryOpened when that works; what keeps us from it, unless that is a refusal."""
    authenticator = apponly.authenticator(canary, IssuedTokens(issued.token))
    for left in reversed(range(TRIES)):
        try:
            verify(imap=_imap_of(client), smtp=None, authenticator=authenticator)
        except MailboxNotConnected:
            if not left:
                return
        except AuthenticationRejected:
            return
        else:
            raise CanaryOpened(canary=canary)


def _imap_of(client: OAuthClient) -> Endpoint:
    """The provider's own server: at another one every mailbox would be refused."""
    preset = for_provider(client.provider, extra=settings.extra_presets)
    if preset is None or preset.imap is None:
        raise ClientMissing(provider=clients.label(client.provider))
    return preset.imap
