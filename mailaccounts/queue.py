"""Every job by name. The only module that knows django-q2; arguments are ids, since the broker pickles them."""

from __future__ import annotations

import inspect
import logging
import os
import platform
import time
from contextlib import suppress
from enum import StrEnum
from queue import Empty
from typing import Any

from django.db import DatabaseError, InterfaceError, transaction
from django.db.models.functions import Now
from django_q import cluster
from django_q.brokers import get_broker
from django_q.conf import Conf
from django_q.models import Schedule
from django_q.signals import post_execute_in_worker, pre_execute
from django_q.signing import SignedPackage
from django_q.tasks import async_task

from mailaccounts import __version__, logs
from mailaccounts.models import Beat

ALIVE_SECONDS = 60.0
IDLE = -1  # the timer of a worker that isn't at work, in django-q2
SLOW_SECONDS, REST_SECONDS = 1.0, 10.0  # a broker that took that long to fail isn't asked again for this long

logger = logging.getLogger(__name__)


class Job(StrEnum):
    """Dotted paths of tasks, which sit above this module and are called by name."""

    TICK = "mailaccounts.tasks.tick"
    DAY = "mailaccounts.tasks.day"
    SYNC = "mailaccounts.tasks.sync"
    PREVIEW = "mailaccounts.tasks.preview"
    SEND = "mailaccounts.tasks.send"
    ENCLOSE = "mailaccounts.tasks.enclose"
    MOVE = "mailaccounts.tasks.move"
    ACT = "mailaccounts.tasks.act"
    ERASE = "mailaccounts.tasks.erase"
    HAND_OVER = "mailaccounts.tasks.hand_over"
    FORGET = "mailaccounts.tasks.forget"
    KEEP = "mailaccounts.tasks.keep"
    RETELL = "mailaccounts.tasks.retell"
    COMPARE = "mailaccounts.tasks.compare"
    WEBHOOK = "mailaccounts.tasks.deliver_webhook"
    NOTIFY = "mailaccounts.tasks.notify"
    TELL_OPENED = "mailaccounts.tasks.tell_opened"
    GIVE_BACK = "mailaccounts.tasks.give_back"
    CANARIES = "mailaccounts.tasks.canaries"
    CAMPAIGNS = "mailaccounts.tasks.campaigns"
    CAMPAIGN_STEP = "mailaccounts.tasks.campaign_step"


def enqueue(job: Job, *ids: int) -> None:
    """Queues ``job`` once the current transaction has committed, and never if it is rolled back.

    A broker that is down is logged and no more: what was committed stands, and the tick queues what is due.
    """
    if not all(isinstance(each, int) for each in ids):
        raise TypeError("a task takes ids, nothing else")
    transaction.on_commit(lambda: _send(job, ids))


_rests_until = 0.0


def _send(job: Job, ids: tuple[int, ...]) -> None:
    """Whoever queues a hundred jobs with a broker that says nothing waits for the first of them only."""
    global _rests_until  # one for each process
    began = time.monotonic()
    if began < _rests_until:
        logger.error("%s couldn't be queued: the broker said nothing just now", job.name)
        return
    try:
        async_task(job.value, *ids, save=False, group=logs.correlation() or None)
    except Exception as error:  # noqa: BLE001 - every broker has errors of its own
        logger.error("%s couldn't be queued: %s", job.name, type(error).__name__)
        if (now := time.monotonic()) - began > SLOW_SECONDS:
            _rests_until = now + REST_SECONDS


def _correlate(*, task: dict[str, Any], **_: Any) -> None:
    """What a task logs goes under the id of what queued it."""
    logs.correlate(str(task.get("group") or ""))


_alive_at = 0.0


def _alive(**_: Any) -> None:
    """A process of a cluster gives a sign of life when it begins with a task, once a minute; trouble with that is none
    of the task's."""
    global _alive_at  # one for each process
    now = time.monotonic()
    if _alive_at and now - _alive_at < ALIVE_SECONDS:
        return
    _alive_at = now
    name = f"worker {platform.node()[:50]} {os.getpid()}"
    try:
        Beat.objects.update_or_create(name=name, defaults={"at": Now(), "version": __version__})
    except (DatabaseError, InterfaceError) as error:
        logger.error("a worker's sign of life couldn't be noted: %s", type(error).__name__)


def _leave_to_other(*, func: Any, task: dict[str, Any], **_: Any) -> None:
    """While a site is upgraded, a worker may get a job that only the other version knows, or knows with other
    ids: it says so, and leaves no failure behind. What is to be done is in the database, and a tick queues it."""
    if str(task["func"]).startswith("mailaccounts.") and not _takes(func, task):
        logger.error("this version doesn't know the job %s: a worker of the other one will do it", task["func"])
        task["success"], task["result"] = True, None


def _takes(func: Any, task: dict[str, Any]) -> bool:
    try:
        inspect.signature(func).bind(*task["args"], **task["kwargs"])
    except TypeError:  # there is no such function, or it takes others
        return False
    return True


pre_execute.connect(_correlate, dispatch_uid="mailaccounts.queue")
pre_execute.connect(_alive, dispatch_uid="mailaccounts.queue.alive")
post_execute_in_worker.connect(_leave_to_other, dispatch_uid="mailaccounts.queue")


class Sentinel(cluster.Sentinel):  # type: ignore[misc]  # the package has no types
    """What guards the workers of a cluster: these know when it is told to stop, and what none of them has begun with
    goes back to the broker, so that it stops soon and others go on. One that is killed costs no other its work."""

    def start(self) -> None:
        global _stop  # the workers are forked from here
        _stop = self.stop_event
        super().start()

    def reincarnate(self, process: Any) -> None:
        if process in self.pool and _was_killed(process):
            self._free_queue()
        super().reincarnate(process)

    def _free_queue(self) -> None:
        """Of the workers that wait for a job one has the queue's lock. When it is killed nobody else gets a job, for a
        semaphore knows no owner: so all that wait are ended, and new ones take their places; if the lock is taken
        still, then by the dead."""
        lock = self.task_queue._rlock
        while not lock.acquire(timeout=0.5):
            waiting = [each for each in self.pool if each.is_alive() and each.timer.value == IDLE]
            if not waiting:
                break
            for each in waiting:
                each.kill()
                each.join()
        lock.release()

    def stop(self) -> None:
        self.event_out.set()
        while self.pusher.is_alive():
            time.sleep(0.1)
        with suppress(Empty):
            while True:
                self._give_back(self.task_queue.get(timeout=0.5))
        super().stop()

    def _give_back(self, task: dict[str, Any]) -> None:
        try:
            self.broker.enqueue(SignedPackage.dumps({key: value for key, value in task.items() if key != "ack_id"}))
        except Exception as error:  # noqa: BLE001 - every broker has errors of its own
            logger.error("a job couldn't be given back, the tick queues it again: %s", type(error).__name__)
            return
        if task.get("ack_id"):
            self.broker.acknowledge(task["ack_id"])


def _was_killed(worker: Any) -> bool:
    """By somebody else while it waited for a job; one that is at work has no lock."""
    return (worker.exitcode or 0) < 0 and worker.timer.value == IDLE


_stop: Any = None
cluster.Sentinel = Sentinel


def is_stopping() -> bool:
    """Whether this is a worker of a cluster that has been told to stop."""
    return _stop is not None and bool(_stop.is_set())


def waiting() -> int:
    """How many jobs wait for a worker. A broker that can tell takes jobs, too."""
    global _rests_until
    found = int(get_broker().queue_size())
    _rests_until = 0.0
    return found


def workers() -> int:
    """How many workers a cluster has."""
    return int(Conf.WORKERS)


def ensure_schedules() -> None:
    """Sees to it that the tick runs every minute and the day's work once a day; safe to call any number of times."""
    _schedule("mailaccounts tick", Job.TICK, schedule_type=Schedule.MINUTES, minutes=1)
    _schedule("mailaccounts day", Job.DAY, schedule_type=Schedule.DAILY)


def _schedule(name: str, job: Job, **when: object) -> None:
    options = "q_options={'save': False}"  # a row that says all went well helps nobody
    Schedule.objects.update_or_create(
        name=name, defaults={"func": job.value, "kwargs": options, "repeats": -1, **when}
    )
