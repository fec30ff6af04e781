"""Does in a mailbox what its owner did here, one action after another; what the server refuses is undone here."""

from __future__ import annotations

import logging
from collections import Counter
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.db import DatabaseError, transaction
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils import timezone

from mailaccounts.conf import settings
from mailaccounts.errors import (
    ChangedMeanwhile,
    ChangeRefused,
    FolderMissing,
    MailAccountsError,
    MovedUnseen,
    NetworkError,
    NotDoneInTime,
    ProtocolFault,
    Remedy,
)
from mailaccounts.mail.types import FolderRole
from mailaccounts.models import Act, ActionState, MailAccount, MailAction, MessageUid
from mailaccounts.queue import Job, enqueue
from mailaccounts.rules.backoff import next_delay
from mailaccounts.services import actions, at_once, login, places, summaries

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from mailaccounts.mail.imap import ImapSession
    from mailaccounts.mail.imap_writer import Copied
    from mailaccounts.mail.types import Marks
    from mailaccounts.models import Folder

logger = logging.getLogger(__name__)

GIVE_UP = timedelta(days=1)  # that a server may be out of reach
FREE = Q(state=ActionState.QUEUED) | Q(worked_until=None) | Q(worked_until__lt=Now())


def carry_out(account_id: int) -> int:
    """Carries out what is to be done in the account's mailbox, in one session; of how many actions that was the end.

    Nothing while another worker is at it, who goes on to what was added meanwhile, or while the next has to wait.
    """
    session: ImapSession | None = None
    done = 0
    try:
        while (action := _claim(account_id)) is not None:
            try:
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
    action = rows.select_related("account", "folder", "label", "target").order_by("pk").first()
    if action is None or (action.next_at is not None and action.next_at > timezone.now()):
        return None
    until = timezone.now() + timedelta(seconds=settings.lease_seconds)
    mine = MailAction.objects.filter(actions.TO_DO, FREE, pk=action.pk)
    return action if mine.update(state=ActionState.WORKING, worked_until=until) else None


def _work_on(session: ImapSession, action: MailAction) -> None:
    """Does it in the mailbox, and notes here what became of it. ChangedMeanwhile, and what a session raises."""
    state = session.select(action.folder.name, readonly=False)
    lying = list(at_once.places_of(action)) if state.uidvalidity == action.folder.uidvalidity else []
    uids = [place.uid for place in lying]
    if not uids:
        if not action.undone:
            raise ChangedMeanwhile
        if action.act == Act.MOVE and action.folder.role != FolderRole.ALL:
            _insist_on_knowing(session, action)
        _note_marks(action, {})
    elif action.act != Act.MOVE:
        flag, on = at_once.FLAGS[Act(action.act)]
        session.set_flag(uids, flag, on=on)
        _note_marks(action, session.marks(uids))
    elif action.folder.role == FolderRole.ALL:
        for folder, on in ((action.target, True), (action.label, False)):
            if folder is not None:
                session.set_label(uids, at_once.label_of(folder), on=on)
        _note_marks(action, session.marks(uids))
    else:
        assert action.target is not None  # noqa: S101 - only labels lead nowhere
        copied = _told_apart(session.move(uids, action.target.name))
        left = session.existing([uid for uid in uids if uid not in copied])
        _note_moved(action, action.target, lying, copied=copied, left=left)


def _insist_on_knowing(session: ImapSession, action: MailAction) -> None:
    """MovedUnseen when messages that are to be moved back aren't where they came from, so that they were moved: a sync
    has yet to find them where the server put them without telling."""
    assert action.target is not None  # noqa: S101 - only labels lead nowhere
    before = MessageUid.objects.filter(message__id__among=action.messages, folder=action.target)
    uids = list(before.filter(uidvalidity=F("folder__uidvalidity")).values_list("uid", flat=True))
    is_same = uids and session.select(action.target.name).uidvalidity == action.target.uidvalidity
    if is_same and len(session.existing(uids)) < len(uids):
        enqueue(Job.SYNC, action.account_id)
        raise MovedUnseen


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


def _told_apart(copied: Mapping[int, Copied]) -> dict[int, Copied]:
    """Without places that the server names for several messages."""
    times = Counter(copied.values())
    return {uid: new for uid, new in copied.items() if times[new] == 1}


def _note_moved(
    action: MailAction,
    target: Folder,
    lying: Sequence[MessageUid],
    *,
    copied: Mapping[int, Copied],
    left: Collection[int],
) -> None:
    """Notes where the messages are, ``left`` of them where they were. What the server didn't tell, the next sync finds
    out."""
    with transaction.atomic():
        _lock(action)
        there = MessageUid.objects.filter(folder=target, uidvalidity=target.uidvalidity or 0)
        taken = set(there.filter(uid__in=[new.uid for new in copied.values()]).values_list("uid", flat=True))
        for place in lying:
            row, new = MessageUid.objects.filter(pk=place.pk, folder=action.folder_id), copied.get(place.uid)
            if place.uid in left:
                row.filter(moving_to=target).update(moving_to=None)
            elif new is not None and new.uidvalidity == target.uidvalidity:
                if new.uid in taken:  # a sync was quicker
                    row.delete()
                else:
                    row.update(folder=target, uidvalidity=new.uidvalidity, uid=new.uid)
        _settle(action)
        summaries.refresh_of(action.account_id, action.messages)
        _conclude(action, refused=bool(left))
        enqueue(Job.SYNC, action.account_id)


def _failed(action: MailAction, error: MailAccountsError) -> int:
    """Puts the action off while the server is out of reach, for a day at most; anything else is undone here, and its
    user is told. 1 when it was the end of it."""
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
        if not (waits and action.undone):  # its undoing waited just as long, and it is shown as before
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
    columns = {"code": error.code, "message": error.message, "dismissed": action.undone}
    MailAction.objects.filter(pk=action.pk).update(state=ActionState.REFUSED, worked_until=None, **columns)
    MailAccount.objects.filter(pk=action.account_id).update(revision=F("revision") + 1)


def _lock(action: MailAction) -> None:
    """Locks the account's row until the transaction ends; the user may have taken the action back before."""
    MailAccount.objects.select_for_update().filter(pk=action.account_id).first()
    action.undone = MailAction.objects.filter(pk=action.pk, undone=True).exists()
