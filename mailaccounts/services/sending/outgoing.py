"""How an outgoing message goes from one state to the next: by conditional UPDATE, committed before anything depends
on it, and nowhere else.

A worker takes a message for as long as a session with a mail server may last. SENDING is committed before the server
hears the first word of the message, so that one found in it after its worker was lost may have been sent, and one
found QUEUED was not.
"""

from __future__ import annotations

import secrets
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q
from django.utils import timezone

from mailaccounts.conf import settings
from mailaccounts.errors import DeliveryUncertain, OutgoingChanged
from mailaccounts.models import RECIPIENTS_REFUSED, Filing, MailAccount, Outgoing, OutgoingState
from mailaccounts.rules.sending import Again, Fail, Hold, judge
from mailaccounts.services.limits import claims
from mailaccounts.services.sending import may_send
from mailaccounts.services.telling import events

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from django.db.models.expressions import CombinedExpression

    from mailaccounts.errors import MailAccountsError

FREE = Q(worker="") | claims.free("worker_until")
# No join: a conditional UPDATE over one lets two workers take the same row.
RUNNING = Exists(MailAccount.objects.filter(pk=OuterRef("account"), paused_at__isnull=True))
TO_DO = Q(state=OutgoingState.QUEUED) | (Q(state=OutgoingState.UNCERTAIN) | Q(filing=Filing.DUE)) & Q(RUNNING)
TO_FETCH = {"awaited": True, "problem": ""}  # of a draft's files, those that nobody has tried to fetch
SPARE = 30  # seconds that a worker has a message for longer than any session lasts
QUEUED_FOR = timedelta(minutes=5)  # what was queued and taken by nobody by then is queued again
NO_TROUBLE = {"code": "", "message": "", "failures": 0, "held_at": None}
LET_GO = {"worker": "", "worker_until": None}
WAITS_FOR_AUTHOR = {"notice_due": True, "incident": F("incident") + 1}
IN_MAILBOX = {"raw": None, "body_text": "", "body_html": ""}  # what it says is kept there, and not twice


def trouble(error: MailAccountsError) -> dict[str, str]:
    """What is wrong, as a message's columns."""
    return {"code": error.code, "message": error.message}


def claim(outgoing_id: int) -> Outgoing | None:
    """Takes a message that there is something to do for; None when another worker has it, or there isn't."""
    token = secrets.token_hex(16)
    with transaction.atomic(durable=True):
        due = Outgoing.objects.filter(FREE, TO_DO, pk=outgoing_id, next_at__isnull=False)
        taken = due.update(worker=token, worker_until=_until(), next_at=timezone.now() + QUEUED_FOR)
    return Outgoing.objects.select_related("account").get(pk=outgoing_id, worker=token) if taken else None


def begin_handing_over(held: Outgoing) -> None:
    """From now on the server may have it. OutgoingChanged when it is another's, or its author's again; what
    ``may_send`` raises when somebody's right to send ended while the server was asked about recipients."""
    columns = {"attempts": F("attempts") + 1, "worker_until": _until()}
    with transaction.atomic(durable=True):  # or the server would know of it before anybody else here does
        may_send.insist(held)
        if not step(_mine(held).filter(state=OutgoingState.QUEUED), held, OutgoingState.SENDING, **columns):
            raise OutgoingChanged
    held.attempts += 1


def handed_over(held: Outgoing, *, by_server: bool, remark: MailAccountsError | None) -> bool:
    """The server has taken it, whoever thinks what of it meanwhile: only another attempt knows better. ``by_server``
    files it in Sent; ``remark`` tells whom it wasn't taken for."""
    states = (OutgoingState.SENDING, OutgoingState.UNCERTAIN, OutgoingState.QUEUED)
    rows = Outgoing.objects.filter(pk=held.pk, attempts=held.attempts, state__in=states)
    return _sent(rows, held, by_server=by_server, remark=trouble(remark) if remark else {})


def found_in_sent(held: Outgoing) -> bool:
    """Its copy in Sent proves that it was sent."""
    return _sent(_mine(held).filter(state=OutgoingState.UNCERTAIN), held, by_server=True, remark={})


def was_sent(outgoing: Outgoing, *, by_server: bool) -> bool:
    """Somebody says that it arrived."""
    rows = Outgoing.objects.filter(FREE, pk=outgoing.pk, state=OutgoingState.UNCERTAIN)
    return _sent(rows, outgoing, by_server=by_server, remark={})


def not_handed_over(held: Outgoing, error: MailAccountsError, *, credential_id: UUID | None) -> None:
    """The server doesn't have it: it is tried again, waits until another sign-in than with ``credential_id`` works, or
    has failed."""
    rows = _mine(held).filter(state__in=(OutgoingState.QUEUED, OutgoingState.SENDING))
    columns = _put_off(held, error, credential_id)
    if columns is None:
        step(rows, held, OutgoingState.FAILED, **trouble(error), **LET_GO, **WAITS_FOR_AUTHOR, next_at=None)
    else:
        waits = WAITS_FOR_AUTHOR if "held_at" in columns else {}
        step(rows, held, OutgoingState.QUEUED, **trouble(error), **LET_GO, **columns, **waits)


def uncertain(held: Outgoing, error: DeliveryUncertain) -> None:
    """Nobody knows; it is looked for, and never sent again by itself."""
    rows = _mine(held).filter(state=OutgoingState.SENDING)
    step(rows, held, OutgoingState.UNCERTAIN, **trouble(error), **LET_GO, failures=0, next_at=timezone.now())


def not_found(held: Outgoing, seconds: float | None) -> None:
    """It wasn't in Sent, or that couldn't be seen: the next look is in ``seconds``; None: there is none."""
    next_at = None if seconds is None else timezone.now() + timedelta(seconds=seconds)
    waits = WAITS_FOR_AUTHOR if seconds is None else {}
    _mine(held).update(next_at=next_at, failures=held.failures + 1, **LET_GO, **waits)


def filed(held: Outgoing) -> None:
    """Its copy is in Sent."""
    _mine(held).update(filing=Filing.DONE, next_at=None, failures=0, held_at=None, **_kept_there(held.code), **LET_GO)


def not_filed(held: Outgoing, error: MailAccountsError, *, credential_id: UUID | None) -> None:
    """There is no copy in Sent yet: it is tried again for as long as a message is, and then given up."""
    columns = _put_off(held, error, credential_id)
    late = held.sent_at is not None and timezone.now() - held.sent_at > timedelta(days=settings.send_days)
    if columns is None or late:
        columns = {"filing": Filing.FAILED, "raw": None, "next_at": None, **({} if held.code else trouble(error))}
    _mine(held).update(**columns, **LET_GO)


def step(rows: Any, outgoing: Outgoing, to: OutgoingState, **columns: Any) -> bool:
    """The message goes to state ``to``, if it is still among ``rows``; whoever listens is told after the commit."""
    with transaction.atomic():
        if not rows.update(state=to, **columns):
            return False
        events.sending_changed(outgoing.pk, account_id=outgoing.account_id, state=str(to))
    return True


def _sent(rows: Any, outgoing: Outgoing, *, by_server: bool, remark: dict[str, str]) -> bool:
    """``raw`` stays for as long as it has to be filed."""
    now = timezone.now()
    columns: dict[str, Any] = {"filing": Filing.DUE, "next_at": now}
    if by_server:
        columns = {"filing": Filing.BY_SERVER, "next_at": None, **_kept_there(remark.get("code", ""))}
    columns |= {**NO_TROUBLE, **remark, **LET_GO, "sent_at": now, **(WAITS_FOR_AUTHOR if remark else {})}
    with transaction.atomic():
        if not step(rows, outgoing, OutgoingState.SENT, **columns):
            return False
        if not remark:
            outgoing.enclosed.all().delete()
    return True


def _kept_there(code: str) -> dict[str, Any]:
    """The columns of a message whose copy is in Sent. What it says stays for those whom it wasn't taken for."""
    return {"raw": None} if code == RECIPIENTS_REFUSED else IN_MAILBOX


def _put_off(held: Outgoing, error: MailAccountsError, credential_id: UUID | None) -> dict[str, Any] | None:
    """The columns of a message that is to be tried again, or to wait; None when neither helps."""
    failures = held.failures
    match judge(error, failures=failures + 1):
        case Again(seconds=seconds, failed=failed):
            next_at: datetime = timezone.now() + timedelta(seconds=seconds)
            return {"next_at": next_at, "failures": failures + failed}
        case Hold():
            waits = {"held_at": timezone.now(), "held_with": credential_id}
            return {**waits, "next_at": None, "failures": failures + 1}
        case Fail():
            return None


def _mine(held: Outgoing) -> Any:
    return Outgoing.objects.filter(pk=held.pk, worker=held.worker)


def _until() -> CombinedExpression:
    """When a worker that takes a message now has lost it: no session lasts as long."""
    return claims.lasting(settings.lease_seconds + SPARE)
