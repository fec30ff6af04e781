"""Raises and clears alarms of the installation's own, and tells the ADMINS once of each, in one mail for all of a
look; what comes and goes, once an hour.

The tick looks, and so does a watcher, for where no worker ticks the tick can't: whoever is first each minute. What is
seen at two looks in a row is raised, and over once two have seen no more of it.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import TYPE_CHECKING

from django.db import IntegrityError, transaction
from django.db.models import Count, Exists, OuterRef, Q
from django.utils import timezone

from mailaccounts.models import Alarm, AlarmKind
from mailaccounts.services.running import alarm_signs
from mailaccounts.services.telling import events
from mailaccounts.services.telling.operators import tell
from mailaccounts.services.trail import beats

if TYPE_CHECKING:
    from django.db.models import QuerySet

    from mailaccounts.services.running.alarm_signs import Sign

TURN = "alarms"
EVERY = timedelta(seconds=50)
HOLDS = {AlarmKind.VERSION: timedelta(minutes=10)}  # an upgrade takes a while
TOLD_OTHERWISE = (AlarmKind.CLIENT, AlarmKind.SECRET, AlarmKind.CANARY)  # by mails of their own, which say more
RAISED = Q(raised_at__isnull=False, until__isnull=True)
KEPT = timedelta(days=90)
QUIET = timedelta(hours=1)  # after a mail about the same

logger = logging.getLogger(__name__)


def look() -> None:
    """Looks what is wrong, if nobody has within the last minute; and tells of what has yet to be told."""
    if not beats.take_turn(TURN, every=EVERY):
        return
    signs = {(each.kind, each.subject): each for each in alarm_signs.all_signs()}
    known = {(AlarmKind(each.kind), each.subject): each for each in Alarm.objects.filter(until__isnull=True)}
    for key, sign in signs.items():
        _seen(sign, known.get(key))
    for key, alarm in known.items():
        if key not in signs:
            _not_seen(alarm)
    _tidy()
    _tell(list(_untold()))


def raised() -> QuerySet[Alarm]:
    """What is wrong, the newest first."""
    return Alarm.objects.filter(RAISED).order_by("-raised_at", "pk")


def count_by_kind() -> dict[str, int]:
    """How many alarms of each kind there are now, kinds without any included. One query."""
    rows = Alarm.objects.filter(RAISED).order_by().values_list("kind").annotate(number=Count("pk"))
    return {**dict.fromkeys(AlarmKind.values, 0), **dict(rows)}


def _seen(sign: Sign, alarm: Alarm | None) -> None:
    now = timezone.now()
    if alarm is None:
        try:
            with transaction.atomic():
                Alarm.objects.create(kind=sign.kind, subject=sign.subject, words=sign.words, since=now)
        except IntegrityError:  # somebody else has seen it as well
            pass
        return
    rows = Alarm.objects.filter(pk=alarm.pk, until__isnull=True)
    rows.update(words=sign.words, gone_at=None)
    if now - alarm.since < HOLDS.get(sign.kind, timedelta()):
        return
    told = now if sign.kind in TOLD_OTHERWISE else None
    with transaction.atomic():
        if rows.filter(raised_at__isnull=True).update(raised_at=now, told_at=told):
            events.alarm_changed(alarm.pk, kind=str(sign.kind), raised=True)
            logger.error("alarm %d: %s", alarm.pk, sign.kind)


def _not_seen(alarm: Alarm) -> None:
    rows = Alarm.objects.filter(pk=alarm.pk, until__isnull=True)
    if alarm.raised_at is None:
        rows.filter(raised_at__isnull=True).delete()
    elif alarm.gone_at is None:
        rows.update(gone_at=timezone.now())
    else:
        with transaction.atomic():
            if rows.update(until=timezone.now()):
                events.alarm_changed(alarm.pk, kind=alarm.kind, raised=False)
                logger.warning("alarm %d is over: %s", alarm.pk, alarm.kind)


def _untold() -> QuerySet[Alarm]:
    """Those to tell of: not what the ADMINS have had a mail about lately, and was over in between."""
    same = Alarm.objects.filter(kind=OuterRef("kind"), subject=OuterRef("subject"))
    lately = same.filter(told_at__gt=timezone.now() - QUIET)
    return raised().filter(~Exists(lately), told_at__isnull=True)


def _tell(alarms: list[Alarm]) -> None:
    """One mail, by whoever notes first that it is told; where that doesn't work, the next look's."""
    untold = Alarm.objects.filter(RAISED, told_at__isnull=True)
    told = [each for each in alarms if untold.filter(pk=each.pk).update(told_at=timezone.now())]
    if not told:
        return
    first, *others = told
    subject = first.get_kind_display() + (f", and {len(others)} more" if others else "")
    parts = [f"{each.words}\n\nIt has been so since {_when(each)}.\n\n" for each in told]
    end = "The dashboard in the admin shows when it is over. You won't be told again until then.\n"
    if not tell(subject, "".join(parts) + end):
        Alarm.objects.filter(pk__in=[each.pk for each in told]).update(told_at=None)


def _when(alarm: Alarm) -> str:
    return f"{timezone.localtime(alarm.since):%Y-%m-%d %H:%M %Z}"


def _tidy() -> None:
    """Forgets alarms that are long over, and processes that ended, also a watcher that another stands in for."""
    Alarm.objects.filter(until__lt=timezone.now() - KEPT).delete()
    gone = beats.processes().filter(ago__gt=beats.ALIVE)
    if not beats.processes(beats.WATCHER).filter(ago__lte=beats.ALIVE).exists():
        gone = gone.exclude(name__startswith=beats.WATCHER)
    gone.delete()
