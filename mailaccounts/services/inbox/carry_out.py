"""Does in a mailbox what its owner did here, one action after another; what the server refuses is undone here."""

from __future__ import annotations

import logging
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.db import DatabaseError, transaction
from django.db.models import F, Q
from django.utils import timezone

from mailaccounts.conf import settings
from mailaccounts.errors import (
    ChangedMeanwhile,
    ChangeRefused,
    FolderMissing,
    MailAccountsError,
    MovedUnseen,
    NetworkError,
    NeverFinished,
    NotDoneInTime,
    ProtocolFault,
    Remedy,
)
from mailaccounts.mail.types import FolderRole
from mailaccounts.models import Act, ActionState, MailAccount, MailAction, MessageUid
from mailaccounts.queue import Job, enqueue
from mailaccounts.rules.backoff import next_delay
from mailaccounts.services.inbox import actions, at_once, following
from mailaccounts.services.limits import claims
from mailaccounts.services.signing_in import login
from mailaccounts.services.storing import moved, places, summaries
from mailaccounts.services.storing.told import LEFT

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from mailaccounts.mail.imap import ImapSession
    from mailaccounts.mail.imap_writer import Copied
    from mailaccounts.mail.types import Marks
    from mailaccounts.models import Folder

logger = logging.getLogger(__name__)

GIVE_UP = timedelta(days=1)  # that a server may be out of reach
MOST_LOST = 3  # workers over one action
FREE = Q(state=ActionState.QUEUED) | claims.free("worked_until")


def carry_out(account_id: int) -> int:
    """Carries out what is to be done in the account's mailbox, in one session; of how many actions that was the end.

    Nothing while another worker is at it, who goes on to what was added meanwhile, or while the next has to wait.
    """
    session: ImapSession | None = None
    done = 0
    try:
        while (action := _claim(account_id)) is not None:
            try:
                if action.lost >= MOST_LOST:
                    raise NeverFinished
                session = session or login.open_imap(action.account)
                _work_on(session, action)
            except MailAccountsError as error:
                if session is not None and session.closed:
                    session = None
                done += _failed(action, error)
            except Exception:  # a fault of ours or the database's: others wait behind it
                with suppress(DatabaseError):
                    _failed(action, MailAccountsError())
                raise
            else:
                done += 1
    finally:
        if session is not None:
            session.logout()
    return done


def _claim(account_id: int) -> MailAction | None:
    """The account's next action, now this worker's; None when there is none whose turn it is."""
    rows = MailAction.objects.filter(actions.TO_DO, account=account_id)
    action = following.in_turn(rows).select_related("account", "folder", "label", "target", "reverses").first()
    if action is None or (action.next_at is not None and action.next_at > timezone.now()):
        return None
    action.lost += action.state == ActionState.WORKING  # the worker that had it, if it is free
    until = claims.lasting(settings.lease_seconds)
    mine = MailAction.objects.filter(actions.TO_DO, FREE, pk=action.pk)
    return action if mine.update(state=ActionState.WORKING, worked_until=until, lost=action.lost) else None


def _work_on(session: ImapSession, action: MailAction, *, follows: bool = True) -> None:
    """Does it in the mailbox, and notes here what became of it. ChangedMeanwhile, and what a session raises."""
    state = session.select(action.folder.name, readonly=False)
    known = at_once.places_of(action).filter(uidvalidity=state.uidvalidity)  # of the folder that is open, and no later
    lying = list(known.exclude(LEFT))
    uids = [place.uid for place in lying]
    if not uids and _is_back(session, action):
        _note_marks(action, {})
        return
    if follows and following.split(session, action, lying):
        _work_on(session, action)
        return
    if follows and following.follow(session, action, lying):
        _work_on(session, action, follows=False)
        return
    if following.is_unseen(action, lying):
        raise _await_sync(action)
    if not uids:
        raise ChangedMeanwhile
    if action.act != Act.MOVE:
        _note_marks(action, _flag(session, action, uids))
    elif action.folder.role == FolderRole.ALL:
        for folder, on in ((action.target, True), (action.label, False)):
            if folder is not None:
                session.set_label(uids, at_once.label_of(folder), on=on)
        _note_marks(action, session.marks(uids))
    else:
        assert action.target is not None  # noqa: S101 - only labels lead nowhere
        copied = session.move(uids, action.target.name)
        _note_moved(action, action.target, lying, copied=copied, left=session.existing(uids))


def _flag(session: ImapSession, action: MailAction, uids: Collection[int]) -> Mapping[int, Marks]:
    """Sets or takes off the flag; how the messages are marked then, even if the server said no."""
    flag, on = at_once.FLAGS[Act(action.act)]
    try:
        session.set_flag(uids, flag, on=on)
    except ChangeRefused:
        marks = session.marks(uids)
        if len(marks) < len(uids):
            raise
        return marks
    return session.marks(uids)


def _await_sync(action: MailAction) -> MovedUnseen:
    enqueue(Job.SYNC, action.account_id)
    return MovedUnseen()


def _is_back(session: ImapSession, action: MailAction) -> bool:
    """Whether messages that are to be moved back never left. MovedUnseen when they aren't where they came from: a sync
    has yet to find them where the server put them without telling."""
    if action.reverses is None or action.act != Act.MOVE or action.target is None:
        return False
    before = MessageUid.objects.filter(message__id__among=action.messages, folder=action.target)
    uids = list(before.filter(uidvalidity=F("folder__uidvalidity")).values_list("uid", flat=True))
    if not uids or session.select(action.target.name).uidvalidity != action.target.uidvalidity:
        return False
    if len(session.existing(uids)) < len(uids):
        raise _await_sync(action)
    return True


def _note_marks(action: MailAction, marks: Mapping[int, Marks]) -> None:
    """Writes down how the messages are marked now, whatever the server made of it."""
    with transaction.atomic():
        _lock(action)
        places.write_marks(action.folder, marks)
        _settle(action)
        _conclude(action, refused=any(not _is_as_wanted(mark, action) for mark in marks.values()))


def _is_as_wanted(mark: Marks, action: MailAction) -> bool:
    if action.act == Act.MOVE:
        return True  # labels are what the server makes of them
    flag, on = at_once.FLAGS[Act(action.act)]
    return (flag.lower() in {each.lower() for each in mark.flags}) is on


def _note_moved(
    action: MailAction,
    target: Folder,
    lying: Sequence[MessageUid],
    *,
    copied: Mapping[int, Copied],
    left: Collection[int],
) -> None:
    """Notes where the messages are, ``left`` of them where they were. The next sync finds out whether that is so."""
    with transaction.atomic():
        _lock(action)
        at_once.stay(action, [place.message_id for place in lying if place.uid in left])
        told = moved.note(target, [place for place in lying if place.uid not in left], copied)
        following.redirect(action, target, told)
        _settle(action)
        summaries.refresh_of(action.account_id, action.messages)
        _conclude(action, refused=bool(left))
        enqueue(Job.SYNC, action.account_id)


def _failed(action: MailAction, error: MailAccountsError) -> int:
    """Puts the action off while the server is out of reach, for a day at most; anything else is undone here, and its
    user is told. 1 when it was the end of it; 0 as well where another worker took this one for lost, and was done."""
    if not MailAction.objects.filter(pk=action.pk, state=ActionState.WORKING).exists():
        return 0
    waits = isinstance(error, NetworkError) or error.remedy is Remedy.WAIT
    waits = waits and not isinstance(error, (FolderMissing, ProtocolFault))
    if waits and action.created_at > timezone.now() - GIVE_UP:
        failures = action.failures + 1
        delay = next_delay(failures, retry_after=getattr(error, "retry_after", None))
        columns: dict[str, Any] = {"failures": failures, "next_at": timezone.now() + timedelta(seconds=delay)}
        MailAction.objects.filter(pk=action.pk).update(state=ActionState.QUEUED, worked_until=None, **columns)
        logger.info("action %d: put off: %s", action.pk, error.code)
        return 0
    told = NotDoneInTime() if waits else error
    with transaction.atomic():
        _lock(action)
        if action.reverses is None or action.reverses.state == ActionState.DONE:  # else it is shown as it was
            at_once.take_back(action)
        _settle(action)
        _refuse(action, told)
    return 1


def _settle(action: MailAction) -> None:
    """What was about to come back to where it is, is there."""
    MessageUid.objects.filter(message__id__among=action.messages, moving_to=F("folder")).update(moving_to=None)


def _conclude(action: MailAction, *, refused: bool) -> None:
    """That was it; ``refused`` when the server let some of the messages be as they were."""
    if refused:
        _refuse(action, ChangeRefused(host=action.account.imap_host))
    else:
        MailAction.objects.filter(pk=action.pk).update(state=ActionState.DONE, worked_until=None)


def _refuse(action: MailAction, error: MailAccountsError) -> None:
    logger.info("action %d: refused: %s", action.pk, error.code)
    wanted = action.reverses is not None or not action.undone
    columns = {"code": error.code, "message": error.message, "dismissed": not wanted}
    MailAction.objects.filter(pk=action.pk).update(state=ActionState.REFUSED, worked_until=None, **columns)
    enqueue(Job.SYNC, action.account_id)  # whatever came of it shows
    MailAccount.objects.filter(pk=action.account_id).update(revision=F("revision") + 1)


def _lock(action: MailAction) -> None:
    """Locks the account's row until the transaction ends; the user may have taken the action back before."""
    MailAccount.objects.select_for_update().filter(pk=action.account_id).first()
    action.undone = MailAction.objects.filter(pk=action.pk, undone=True).exists()
