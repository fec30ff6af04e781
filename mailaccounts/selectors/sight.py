"""What mail somebody may see, and how much of it: their own, what others share, and what was revealed to them. What
they opened, giving a reason, is only for pages that ask for it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Any

from django.db.models import Case, Exists, OuterRef, Prefetch, Q, Value, When

from mailaccounts.hooks import hooks
from mailaccounts.models import (
    ERASING,
    Attachment,
    MailAccount,
    Message,
    Participant,
    Role,
    Shown,
    Thread,
    Visibility,
)
from mailaccounts.selectors.accounts import mailboxes_of
from mailaccounts.selectors.opened import opened_by

if TYPE_CHECKING:
    from collections.abc import Iterable

    from django.db.models import QuerySet


class Access(IntEnum):
    """How much of a message somebody may see."""

    SUBJECT = 1
    OPENED = 2  # for a while, giving a reason: to be read on its own pages, and for nothing else
    READ = 3
    OWN = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """What a user may see, by accounts: their ``own``, all that are ``shared``, and of these those that show the
    ``subject`` at least, or ``everything``. And those they have ``opened``, where that counts.

    Either as keys, for pages that begin with a table of the host's, whose rows lead to messages by ``path``
    ("message__"): accounts that are looked up within such a query make a database go through all messages rather than
    through the few. Or as conditions within the query, for pages that begin with messages.
    """

    own: Any
    shared: Any
    subject: Any
    everything: Any
    opened: Any = ()

    @classmethod
    def of(cls, user: Any) -> Sight:
        """By keys. One query."""
        own = Q(owner=user, handed_over_at=None) if user.is_authenticated else Q(pk__in=())
        shared = _shared_with(user)
        is_shared = Exists(MailAccount.objects.filter(shared, pk=OuterRef("pk")))
        accounts = MailAccount.objects.exclude(status_code=ERASING).annotate(is_shared=is_shared)
        rows = list(
            accounts.filter(own | Q(is_shared=True)).values_list(
                "pk", "owner", "handed_over_at", "visibility", "is_shared"
            )
        )
        told = [(pk, visibility) for pk, *_, visibility, is_shared in rows if is_shared]
        return cls(
            own=[pk for pk, owner, handed_over_at, *_ in rows if owner == user.pk and handed_over_at is None],
            shared=[pk for pk, _ in told],
            subject=[pk for pk, visibility in told if visibility != Visibility.OWNER],
            everything=[pk for pk, visibility in told if visibility == Visibility.EVERYTHING],
        )

    @classmethod
    def within(cls, user: Any, *, opened: bool = False) -> Sight:
        """By conditions. No query; for staff one or two, where it counts what they ``opened``."""
        shared = MailAccount.objects.filter(_shared_with(user)).exclude(status_code=ERASING)
        return cls(
            own=mailboxes_of(user),
            shared=shared,
            subject=shared.exclude(visibility=Visibility.OWNER),
            everything=shared.filter(visibility=Visibility.EVERYTHING),
            opened=opened_by(user) if opened else (),
        )

    def may_know(self, path: str = "") -> Q:
        """The same as ``messages_for``."""
        return self._shows(path, self.subject)

    def may_read(self, path: str = "") -> Q:
        """The same as ``readable_by``."""
        return self._shows(path, self.everything)

    def access(self, path: str = "") -> Case:
        """``Access`` to what they may know of."""
        return Case(
            When(_of(path, self.own), then=Value(Access.OWN)),
            When(self._shared(path, self.everything), then=Value(Access.READ)),
            When(_of(path, self.opened), then=Value(Access.OPENED)),
            default=Value(Access.SUBJECT),
        )

    def participants(self, path: str = "") -> Prefetch[Any]:
        """Who takes part in each message, for ``prefetch_related``. Whom it went to unseen, its owner alone sees."""
        seen = ~Q(role=Role.BCC) | Q(message__account__in=self.own)
        return Prefetch(f"{path}participants", Participant.objects.filter(seen))

    def _shows(self, path: str, accounts: Any) -> Q:
        """Messages of their own, those shared as far as ``accounts`` are, and whatever is in what they opened."""
        return _of(path, self.own) | self._shared(path, accounts) | _of(path, self.opened)

    def _shared(self, path: str, accounts: Any) -> Q:
        """Messages of others' ``accounts`` unless they are hidden, and those revealed of all that are shared."""
        shown = _of(path, accounts) & ~Q(**{f"{path}shown": Shown.HIDDEN})
        return shown | (_of(path, self.shared) & Q(**{f"{path}shown": Shown.REVEALED}))


def _of(path: str, accounts: Any) -> Q:
    return Q(**{f"{path}account__in": accounts})


def _shared_with(user: Any) -> Q:
    """The accounts whose sharing reaches ``user``: those the host says, and those that were handed over to them."""
    if not user.is_authenticated:
        return Q(pk__in=())
    shared = hooks().shares_with(user)
    return (
        shared | Q(owner=user, handed_over_at__isnull=False) if shared else shared
    )  # Q() is all, and | would drop it


def own_messages(user: Any) -> QuerySet[Message]:
    """The stored messages of the user's own accounts, but for those on their way out."""
    return Message.objects.filter(account__in=mailboxes_of(user))


def threads_for(user: Any) -> QuerySet[Thread]:
    """The conversations in the user's own accounts, but for those on their way out."""
    return Thread.objects.filter(account__in=mailboxes_of(user))


def messages_for(user: Any, *, opened: bool = False) -> QuerySet[Message]:
    """The stored messages ``user`` may know of, with who takes part and the subject: their own, and what others share.
    Of what they say, only ``readable_by`` tells. With those they ``opened`` only for the pages of one conversation."""
    return Message.objects.filter(Sight.within(user, opened=opened).may_know())


def readable_by(user: Any, *, opened: bool = False) -> QuerySet[Message]:
    """The stored messages ``user`` may read, with what is attached: their own, and what others share as a whole. With
    those they ``opened`` only to show one of them, never to do something with it."""
    return Message.objects.filter(Sight.within(user, opened=opened).may_read())


def attachments_for(user: Any) -> QuerySet[Attachment]:
    """What is attached to the messages that ``user`` may read, or opened."""
    return Attachment.objects.filter(message__in=readable_by(user, opened=True)).select_related("message__account")


def access_to(messages: Iterable[Message], user: Any) -> dict[int, Access]:
    """What ``user`` may see of each of ``messages``, by key; one they may not know of is left out. One query."""
    sight = Sight.within(user, opened=True)
    found = Message.objects.filter(sight.may_know(), pk__in=[message.pk for message in messages])
    return {pk: Access(level) for pk, level in found.annotate(access=sight.access()).values_list("pk", "access")}


def copies_of(messages: Iterable[Message], user: Any) -> dict[str, list[Message]]:
    """Each of ``messages`` through every mailbox that ``user`` may know of it from, with its account and without what
    it says, by fingerprint. One query."""
    found: dict[str, list[Message]] = {}
    rows = messages_for(user).filter(fingerprint__in={message.fingerprint for message in messages})
    rows = rows.select_related("account").defer("body_text", "body_html")
    for message in rows.order_by("account__address", "pk"):
        found.setdefault(message.fingerprint, []).append(message)
    return found
