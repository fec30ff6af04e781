"""What a user does with conversations: shown at once, done in the mailbox by a job, and taken back when they say so.

Whoever writes here holds the account's row, as a sync does when it writes.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils import timezone

from mailaccounts import selectors
from mailaccounts.mail.types import FolderRole
from mailaccounts.models import UNFINISHED, Act, ActionState, Folder, MailAccount, MailAction, MessageUid
from mailaccounts.queue import Job, enqueue
from mailaccounts.services.inbox import at_once
from mailaccounts.services.storing.told import LEFT

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from uuid import UUID

    from django.db.models import QuerySet

MOST = 100  # conversations in one request
MESSAGES = 20_000  # of them, all together
KEPT_DAYS = 30  # that what was done can be looked up
STAYS = frozenset({FolderRole.SENT, FolderRole.DRAFTS, FolderRole.JUNK, FolderRole.TRASH})  # what nobody moves from
TO_DO = Q(state__in=UNFINISHED)


def mark(user: Any, thread_ids: Collection[int], act: Act) -> UUID:
    """Marks the user's conversations, as a whole or, to be seen to again, their newest message."""
    request = uuid.uuid4()
    for account, places in _places(user, thread_ids):
        chosen = [place for place in _marked(places, act) if _has(place, act) is False]
        with transaction.atomic():
            if _lock(account):
                _ask(user, request, account, act, chosen)
    return request


def move(user: Any, thread_ids: Collection[int], *, target: Folder | None = None) -> UUID:
    """Moves the user's conversations to ``target``, those of its mailbox, or out of the inbox into the archive: those
    of mailboxes that have one."""
    request = uuid.uuid4()
    for account, places in _places(user, thread_ids):
        folders = list(Folder.objects.filter(account=account, missing_since=None))
        inbox = _of_role(folders, FolderRole.INBOX)
        by_label = inbox is not None and inbox.uidvalidity is None  # at Gmail, where it isn't read
        gmail = [place for place in places if by_label and place.folder.role == FolderRole.ALL]
        to = target if target is not None else (None if gmail else _of_role(folders, FolderRole.ARCHIVE))
        if (target is not None and target.account_id != account.pk) or (to is None and not gmail):
            continue
        if target is None:
            chosen = [place for place in places if place.folder == inbox and place.moving_to_id is None]
        else:
            chosen = [place for place in places if place.folder.role not in STAYS | {FolderRole.ALL}]
            chosen = [place for place in chosen if (place.moving_to_id or place.folder_id) != target.pk]
        with transaction.atomic():
            if _lock(account):
                _ask(user, request, account, Act.MOVE, chosen, target=to)
                inside = [place for place in gmail if _is_labelled(place, inbox)]
                others = [place for place in gmail if place not in inside and to and not _is_labelled(place, to)]
                _ask(user, request, account, Act.MOVE, inside, target=to, label=inbox)
                _ask(user, request, account, Act.MOVE, others, target=to)
    return request


def undo(user: Any, request: UUID) -> int:
    """Takes back what the user asked for: here at once, and in the mailbox by another action where it may have been
    done there, if only before a connection was lost; of how many messages."""
    actions = of_user(user).filter(request=request, undone=False).exclude(state=ActionState.REFUSED)
    count = 0
    for action in actions.order_by("-pk"):
        with transaction.atomic():
            if not _lock(action.account):
                continue
            if not MailAction.objects.filter(pk=action.pk, undone=False).update(undone=True):
                continue
            waiting = MailAction.objects.filter(pk=action.pk, state=ActionState.QUEUED, failures=0)
            if waiting.update(state=ActionState.UNDONE):
                at_once.take_back(action)
            elif action.state != ActionState.UNDONE:
                _reverse(action)
            count += len(action.messages)
    return count


def of_user(user: Any) -> QuerySet[MailAction]:
    """What was done in the user's own mailboxes, with where."""
    mine = MailAction.objects.filter(account__in=selectors.mailboxes_of(user), asked_by=user)
    return mine.select_related("account", "folder", "label", "target")


def refused(user: Any) -> QuerySet[MailAction]:
    """What mail servers refused, and the user has yet to take note of."""
    return of_user(user).filter(state=ActionState.REFUSED, dismissed=False).order_by("pk")


def enqueue_due() -> int:
    """Queues the accounts in whose mailboxes something is to be done, and forgets what was done long ago."""
    MailAction.objects.filter(~TO_DO, created_at__lt=timezone.now() - timedelta(days=KEPT_DAYS)).delete()
    free = Q(state=ActionState.QUEUED) & (Q(next_at=None) | Q(next_at__lte=Now())) | Q(worked_until__lt=Now())
    accounts = MailAction.objects.filter(TO_DO, free).values_list("account", flat=True).distinct()
    for account_id in accounts:
        enqueue(Job.ACT, account_id)
    return len(accounts)


def _ask(
    user: Any,
    request: UUID,
    account: MailAccount,
    act: Act,
    places: Sequence[MessageUid],
    *,
    target: Folder | None = None,
    label: Folder | None = None,
) -> None:
    """Writes down what is to be done with messages of one account, folder by folder, and shows it as done."""
    by_folder: dict[Folder, list[MessageUid]] = defaultdict(list)
    for place in places:
        by_folder[place.folder].append(place)
    for folder, lying in by_folder.items():
        action = MailAction(
            request=request, account=account, asked_by=user, act=act, folder=folder, target=target, label=label
        )
        action.messages = sorted({place.message_id for place in lying})
        action.save()
        at_once.show(action, lying)
    if by_folder:
        enqueue(Job.ACT, account.pk)


def _reverse(action: MailAction) -> None:
    """Asks for the opposite of an action that may have been done."""
    if action.act != Act.MOVE:
        opposite = MailAction(act=at_once.OPPOSITE[Act(action.act)], folder=action.folder)
    elif action.folder.role == FolderRole.ALL:
        opposite = MailAction(act=Act.MOVE, folder=action.folder, label=action.target, target=action.label)
    else:
        opposite = MailAction(act=Act.MOVE, folder=action.target, target=action.folder)
    opposite.request, opposite.account, opposite.asked_by = uuid.uuid4(), action.account, action.asked_by
    opposite.messages, opposite.undone, opposite.reverses = action.messages, True, action
    opposite.save()
    lying = MessageUid.objects.filter(message__id__among=action.messages)
    if opposite.act == Act.MOVE and action.target_id:
        lying = lying.filter(Q(folder=opposite.folder) | Q(moving_to=opposite.folder))
    else:
        lying = lying.filter(folder=opposite.folder)
    at_once.show(opposite, lying)
    enqueue(Job.ACT, action.account_id)


def _places(user: Any, thread_ids: Collection[int]) -> Iterable[tuple[MailAccount, list[MessageUid]]]:
    """Where the messages of the user's conversations lie, by account, the newest message last. One query."""
    threads = selectors.threads_for(user).filter(pk__in=list(thread_ids)[:MOST])
    rows = MessageUid.objects.filter(message__thread__in=threads, uidvalidity=F("folder__uidvalidity"))
    rows = rows.exclude(LEFT)
    rows = rows.select_related("folder__account", "message").defer("message__body_text", "message__body_html")
    found: dict[MailAccount, list[MessageUid]] = defaultdict(list)
    for place in rows.order_by("message__received_at", "message")[:MESSAGES]:
        found[place.folder.account].append(place)
    return found.items()


def _lock(account: MailAccount) -> bool:
    """Locks the account's row until the transaction ends; False when it has gone."""
    return MailAccount.objects.select_for_update().filter(pk=account.pk).exists()


def _marked(places: Sequence[MessageUid], act: Act) -> Iterable[MessageUid]:
    if act not in {Act.UNREAD, Act.FLAG}:
        return places
    newest: dict[int, int] = {}
    for place in places:
        thread = place.message.thread_id
        if place.folder.role not in STAYS or thread not in newest:
            newest[thread] = place.message_id
    return (place for place in places if newest.get(place.message.thread_id) == place.message_id)


def _has(place: MessageUid, act: Act) -> bool:
    """Whether a message is as the act would have it."""
    flag, on = at_once.FLAGS[act]
    return (flag.lower() in place.flags.lower().split(" ")) is on


def _of_role(folders: Iterable[Folder], role: FolderRole) -> Folder | None:
    return next((folder for folder in folders if folder.role == role), None)


def _is_labelled(place: MessageUid, folder: Folder | None) -> bool:
    return folder is not None and at_once.label_of(folder) in place.labels.split("\n")
