"""Machines whose clocks are wrong, and a database that was away: signs of life and turns go by the database's clock,
so that everybody agrees."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from django.db import OperationalError
from django.utils import timezone

from mailaccounts import queue
from mailaccounts.models import Beat
from mailaccounts.services.running import alarm_signs, alarms, ready
from mailaccounts.services.trail import beats
from mailaccounts.services.watching.watch import Watcher

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)


@contextmanager
def clock_off_by(off: timedelta) -> Iterator[None]:
    """Another machine, whose clock is wrong."""
    right = timezone.now
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(timezone, "now", lambda: right() + off)
        yield


@pytest.mark.parametrize("off", [HOUR, -HOUR])
def test_a_turn_comes_again_whoever_took_the_last_one(off: timedelta) -> None:
    with clock_off_by(off):
        assert beats.take_turn("something", every=timedelta(minutes=1))
    assert not beats.take_turn("something", every=timedelta(minutes=1))
    assert beats.take_turn("something", every=timedelta())
    with clock_off_by(off):
        assert not beats.take_turn("something", every=timedelta(minutes=1))


@pytest.mark.parametrize("off", [HOUR, -HOUR])
def test_a_tick_is_as_old_to_every_machine(off: timedelta) -> None:
    with clock_off_by(off):
        beats.note(beats.TICK)
    ago = beats.seconds_since(beats.TICK)
    assert ago is not None and 0 <= ago < 60
    with clock_off_by(off):
        assert not any("ticked" in each for each in ready.away())
        assert not list(alarm_signs._workers())


def test_a_watcher_whose_database_was_away_says_that_it_lives_as_soon_as_it_is_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """And not a minute later, by when it would have been missed."""

    def away(name: str) -> None:
        raise OperationalError

    watcher = Watcher(most=1)
    monkeypatch.setattr(Watcher, "_look_for_alarms", lambda _: None)
    with monkeypatch.context() as outage:
        outage.setattr(beats, "note", away)
        with pytest.raises(OperationalError):
            watcher._beat(1.0)
    watcher._beat(6.0)
    assert beats.processes(beats.WATCHER).exists()


def test_processes_elsewhere_are_neither_gone_nor_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue, "_alive_at", 0.0)
    with clock_off_by(-HOUR):
        beats.note(f"{beats.WATCHER}one")
        queue._alive()
    assert not list(alarm_signs._processes())
    alarms.look()
    assert Beat.objects.filter(name__startswith="w").count() == 2
