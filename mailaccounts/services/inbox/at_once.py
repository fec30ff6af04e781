"""Shows at once what is yet to be done in a mailbox, and takes it back. Called with the account's row locked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db.models import F

from mailaccounts.mail.types import FolderRole
from mailaccounts.models import UNFINISHED, Act, ActionState, MailAction, MessageUid
from mailaccounts.rules import flags, labels
from mailaccounts.services.inbox import following
from mailaccounts.services.storing import summaries

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from django.db.models import QuerySet

    from mailaccounts.models import Folder

OPPOSITE = {Act.READ: Act.UNREAD, Act.UNREAD: Act.READ, Act.FLAG: Act.UNFLAG, Act.UNFLAG: Act.FLAG}
FLAGS = {
    Act.READ: ("\\Seen", True),
    Act.UNREAD: ("\\Seen", False),
    Act.FLAG: ("\\Flagged", True),
    Act.UNFLAG: ("\\Flagged", False),
}


def places_of(action: MailAction) -> QuerySet[MessageUid]:
    """Where the messages of an action lie in its folder."""
    rows = MessageUid.objects.filter(folder=action.folder_id, uidvalidity=F("folder__uidvalidity"))
    return rows.filter(message__id__among=action.messages)


def show(action: MailAction, places: Iterable[MessageUid]) -> None:
    """Shows these messages as if the action were done. They are read anew, for a sync may have been at them."""
    lying = MessageUid.objects.filter(pk__among={place.pk for place in places})
    if action.act != Act.MOVE:
        _flag(Act(action.act), lying)
    elif action.folder.role == FolderRole.ALL:
        _relabel(lying, take=action.label, put=action.target)
    else:
        lying.update(moving_to=action.target)
    summaries.refresh_of(action.account_id, action.messages)


def take_back(action: MailAction) -> None:
    """Shows the messages as they were before."""
    if action.act != Act.MOVE:
        _flag(OPPOSITE[Act(action.act)], places_of(action))
    elif action.folder.role == FolderRole.ALL:
        _relabel(places_of(action), take=action.target, put=action.label)
    else:
        stay(action, action.messages)
        _show_others(action)
    summaries.refresh_of(action.account_id, action.messages)


def stay(action: MailAction, messages: Collection[int]) -> None:
    """Shows messages that weren't moved where they are: of those that were to be moved back, also the places that they
    had left before."""
    places_of(action).filter(message__id__among=messages, moving_to=action.target_id).update(moving_to=None)
    left = MessageUid.objects.filter(folder=action.target_id, moving_to=action.target_id)
    left.filter(message__id__among=messages).update(moving_to=action.folder_id)


def _show_others(action: MailAction) -> None:
    """Shows messages that this action doesn't move after all where another is to move them, or has before any sync has
    seen it."""
    others = MailAction.objects.filter(
        account=action.account_id, act=Act.MOVE, state__in=(*UNFINISHED, ActionState.DONE)
    ).exclude(pk=action.pk)
    left = set(action.messages)
    for other in following.in_turn(following.recent(others)).reverse():
        theirs = left.intersection(other.messages)
        left -= theirs
        if theirs and other.folder_id == action.folder_id:
            staying = places_of(action).filter(message__id__among=theirs, moving_to=None)
            staying.update(moving_to=other.target_id)


def _flag(act: Act, places: Iterable[MessageUid]) -> None:
    flag, on = FLAGS[act]
    changed = list(places)
    for place in changed:
        others = {each for each in place.flags.split(" ") if each and each.lower() != flag.lower()}
        place.flags = flags.text(others | ({flag} if on else set()))
        place.seen = flags.is_seen(place.flags.split(" "))
    MessageUid.objects.bulk_update(changed, ("flags", "seen"), batch_size=1000)


def label_of(folder: Folder) -> str:
    """What the folder is as a label of Gmail's."""
    return labels.of_folder(folder.name, folder.role)


def _relabel(places: Iterable[MessageUid], *, take: Folder | None, put: Folder | None) -> None:
    changed = list(places)
    for place in changed:
        kept = {each for each in place.labels.split("\n") if take is None or each != label_of(take)}
        place.labels = labels.text(kept | ({label_of(put)} if put is not None else set()))
    MessageUid.objects.bulk_update(changed, ("labels",), batch_size=1000)
