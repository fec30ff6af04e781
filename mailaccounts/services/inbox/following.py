"""Follows messages that earlier actions have moved before a later one is at them: it is done where they are by now.

Servers that don't tell where that is (COPYUID, RFC 4315 §3) leave it to the next sync to find out.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from django.db import transaction
from django.db.models import OuterRef, Q, Subquery
from django.utils import timezone

from mailaccounts.models import Act, ActionState, MailAccount, MailAction, MessageUid

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from django.db.models import QuerySet

    from mailaccounts.mail.imap import ImapSession
    from mailaccounts.models import Folder

RECENT = timedelta(days=2)  # of moves that no sync may have looked at yet; an action waits for a day


def in_turn(rows: QuerySet[MailAction]) -> QuerySet[MailAction]:
    """In the order in which they were asked for: what was split off has the ``turn`` of its request."""
    same = MailAction.objects.filter(account=OuterRef("account"), request=OuterRef("request")).order_by("pk")
    return rows.annotate(turn=Subquery(same.values("pk")[:1])).order_by("turn", "pk")


def recent(rows: QuerySet[MailAction]) -> QuerySet[MailAction]:
    return rows.filter(created_at__gt=timezone.now() - RECENT)


def follow(session: ImapSession, action: MailAction, lying: Sequence[MessageUid]) -> bool:
    """Whether an earlier action has moved the messages away: they are acted on where that put them from now on."""
    folder = _followed(action) if all(place.moving_to_id for place in lying) else None
    if folder is None:
        return False
    if lying:
        is_there = not session.existing([place.uid for place in lying])
    else:
        is_there = MessageUid.objects.filter(folder=folder, message__id__among=action.messages).exists()
    if is_there:
        MailAction.objects.filter(pk=action.pk).update(folder=folder)
        action.folder = folder
    return is_there


def split(session: ImapSession, action: MailAction, lying: Sequence[MessageUid]) -> bool:
    """Whether an earlier action has moved some of the messages away from others: they are left to an action of their
    own, whose turn is next, and that follows them."""
    stay = {place.message_id for place in lying if place.moving_to_id is None}
    maybe = set(action.messages) - stay
    movers = [each for each in _earlier(action).filter(folder=action.folder_id) if maybe.intersection(each.messages)]
    if not movers:
        return False
    there = session.existing([place.uid for place in lying])
    here = {place.message_id for place in lying if place.uid in there}
    left = {place.message_id for place in lying} & maybe - here
    for earlier in movers if here else ():
        found = MessageUid.objects.filter(folder=earlier.target_id, message__id__among=maybe - here)
        if taken := (left | set(found.values_list("message_id", flat=True))).intersection(earlier.messages):
            with transaction.atomic():
                MailAccount.objects.select_for_update().filter(pk=action.account_id).first()
                _leave(action, taken, folder=action.folder)
            return True
    return False


def redirect(action: MailAction, folder: Folder, messages: Collection[int]) -> None:
    """What is yet to be done with these messages of an action is done in ``folder``, where the server says that it has
    moved them. Called with the account's row locked."""
    waiting = MailAction.objects.filter(account=action.account_id, folder=action.folder_id, state=ActionState.QUEUED)
    for each in waiting:
        there = set(each.messages).intersection(messages)
        if there == set(each.messages):
            MailAction.objects.filter(pk=each.pk).update(folder=folder)
        elif there:
            _leave(each, there, folder=folder)


def is_unseen(action: MailAction, lying: Sequence[MessageUid]) -> bool:
    """Whether an earlier action has moved messages of this one into its folder, beside those that are ``lying`` there,
    and no sync has found them."""
    missing = set(action.messages).difference(place.message_id for place in lying)
    for earlier in _earlier(action).filter(target=action.folder_id) if missing else ():
        messages = missing.intersection(earlier.messages)
        left = MessageUid.objects.filter(folder=earlier.folder_id, moving_to__isnull=False)
        if messages and left.filter(message__id__among=messages).exists():
            return True
    return False


def _followed(action: MailAction) -> Folder | None:
    """Where an earlier action has moved the messages of this one to, from the same folder."""
    for earlier in _earlier(action).filter(folder=action.folder_id).select_related("target"):
        if set(action.messages).issubset(earlier.messages):
            return earlier.target
    return None


def _earlier(action: MailAction) -> QuerySet[MailAction]:
    """What was moved in the mailbox before, the last first; that of which the server left some counts as well."""
    over = (ActionState.DONE, ActionState.REFUSED)
    rows = MailAction.objects.filter(account=action.account_id, act=Act.MOVE, state__in=over)
    same = MailAction.objects.filter(account=action.account_id, request=action.request)
    turn = same.order_by("pk").values_list("pk", flat=True)[0]
    before = Q(turn__lt=turn) | Q(turn=turn, pk__lt=action.pk)
    return in_turn(recent(rows)).filter(before).reverse()


def _leave(action: MailAction, messages: Collection[int], *, folder: Folder) -> None:
    """Leaves ``messages`` to an action of their own, in ``folder``. Called with the account's row locked."""
    theirs = MailAction.objects.get(pk=action.pk)  # the user may have taken it back meanwhile
    created_at = theirs.created_at
    action.messages = sorted(set(action.messages).difference(messages))
    action.save(update_fields=["messages"])
    theirs.pk, theirs._state.adding = None, True
    theirs.folder, theirs.messages = folder, sorted(messages)
    theirs.state, theirs.worked_until, theirs.lost = ActionState.QUEUED, None, 0
    theirs.save()
    MailAction.objects.filter(pk=theirs.pk).update(created_at=created_at)
