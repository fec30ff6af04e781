"""Reads: what may be seen, by whom. Everything a page shows of accounts and mail starts from one of these."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Any

from django.db.models import Case, Exists, OuterRef, Prefetch, Q, Value, When
from django.db.models.functions import Length, Lower

from mailaccounts.hooks import hooks
from mailaccounts.models import (
    ERASING,
    RECIPIENTS_REFUSED,
    AccountStatus,
    Alias,
    Attachment,
    AuditAction,
    AuditEntry,
    Blocked,
    Enclosed,
    Erasing,
    Look,
    MailAccount,
    Message,
    Outgoing,
    OutgoingState,
    Participant,
    Quarantined,
    Recipient,
    Shown,
    Thread,
    Visibility,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from django.db.models import QuerySet


class Access(IntEnum):
    """How much of a message somebody may see."""

    SUBJECT = 1
    READ = 2
    OWN = 3


def accounts_for(user: Any) -> QuerySet[MailAccount]:
    """The accounts ``user`` may see: their own, and none for somebody who isn't signed in."""
    if not user.is_authenticated:
        return MailAccount.objects.none()
    return MailAccount.objects.filter(owner=user)


def mailboxes_of(user: Any) -> QuerySet[MailAccount]:
    """The user's own accounts, but for those whose mail is on its way out."""
    return accounts_for(user).exclude(status_code=ERASING)


def own_messages(user: Any) -> QuerySet[Message]:
    """The stored messages of the user's own accounts, but for those on their way out."""
    return Message.objects.filter(account__in=mailboxes_of(user))


def threads_for(user: Any) -> QuerySet[Thread]:
    """The conversations in the user's own accounts, but for those on their way out."""
    return Thread.objects.filter(account__in=mailboxes_of(user))


def messages_for(user: Any) -> QuerySet[Message]:
    """The stored messages ``user`` may know of, with who takes part and the subject: their own, and what others share.
    Of what they say, only ``readable_by`` tells."""
    return _shared(user, Visibility.SUBJECT, Visibility.EVERYTHING)


def readable_by(user: Any) -> QuerySet[Message]:
    """The stored messages ``user`` may read, with what is attached: their own, and what others share as a whole."""
    return _shared(user, Visibility.EVERYTHING)


def access_to(messages: Iterable[Message], user: Any) -> dict[int, Access]:
    """What ``user`` may see of each of ``messages``, by key; one they may not know of is left out. One query."""
    found = messages_for(user).filter(pk__in=[message.pk for message in messages])
    access = Case(
        When(account__in=mailboxes_of(user), then=Value(Access.OWN)),
        When(Exists(readable_by(user).filter(pk=OuterRef("pk"))), then=Value(Access.READ)),
        default=Value(Access.SUBJECT),
    )
    return {pk: Access(level) for pk, level in found.annotate(access=access).values_list("pk", "access")}


def attachments_for(user: Any) -> QuerySet[Attachment]:
    """What is attached to the messages that ``user`` may read."""
    return Attachment.objects.filter(message__in=readable_by(user)).select_related("message__account")


def _files() -> QuerySet[Enclosed]:
    return Enclosed.objects.defer("content").annotate(size=Length("content"))


def _shared(user: Any, *visibilities: Visibility) -> QuerySet[Message]:
    """The user's own messages, those of accounts shared with them that show as much, and those revealed to them."""
    if not user.is_authenticated:
        return Message.objects.none()
    shared = MailAccount.objects.filter(hooks().shares_with(user)).exclude(status_code=ERASING)
    seen = _seen("", own=mailboxes_of(user), shows=shared.filter(visibility__in=visibilities), shared=shared)
    return Message.objects.filter(seen)


def _seen(path: str, *, own: Any, shows: Any, shared: Any) -> Q:
    """Messages of ``own`` accounts, of others that show as much unless they are hidden, and those revealed of all that
    are ``shared``, as a condition on rows that ``path`` leads to messages from."""
    shown = Q(**{f"{path}account__in": shows}) & ~Q(**{f"{path}shown": Shown.HIDDEN})
    revealed = Q(**{f"{path}account__in": shared, f"{path}shown": Shown.REVEALED})
    return Q(**{f"{path}account__in": own}) | shown | revealed


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """What a user may see, by the keys of accounts: their ``own``, all that are ``shared``, and of these those that
    show the ``subject`` at least, or ``everything``.

    For pages that begin with a table of the host's, whose rows lead to messages by ``path`` ("message__"): accounts
    that are looked up within such a query make a database go through all messages rather than through the few.
    """

    own: list[int]
    shared: list[int]
    subject: list[int]
    everything: list[int]

    @classmethod
    def of(cls, user: Any) -> Sight:
        """One query."""
        own = Q(owner=user) if user.is_authenticated else Q(pk__in=())
        shared = hooks().shares_with(user) if user.is_authenticated else Q(pk__in=())
        is_shared = Exists(MailAccount.objects.filter(shared, pk=OuterRef("pk")))
        accounts = MailAccount.objects.exclude(status_code=ERASING).annotate(is_shared=is_shared)
        rows = list(accounts.filter(own | Q(is_shared=True)).values_list("pk", "owner", "visibility", "is_shared"))
        told = [(pk, visibility) for pk, _, visibility, is_shared in rows if is_shared]
        return cls(
            own=[pk for pk, owner, *_ in rows if owner == user.pk],
            shared=[pk for pk, _ in told],
            subject=[pk for pk, visibility in told if visibility != Visibility.OWNER],
            everything=[pk for pk, visibility in told if visibility == Visibility.EVERYTHING],
        )

    def may_know(self, path: str) -> Q:
        """The same as ``messages_for``."""
        return _seen(path, own=self.own, shows=self.subject, shared=self.shared)

    def access(self, path: str) -> Case:
        """``Access`` to what they may know of."""
        readable = _seen(path, own=self.own, shows=self.everything, shared=self.shared)
        own = When(**{f"{path}account__in": self.own}, then=Value(Access.OWN))
        return Case(own, When(readable, then=Value(Access.READ)), default=Value(Access.SUBJECT))


def copies_of(messages: Iterable[Message], user: Any) -> dict[str, list[Message]]:
    """Each of ``messages`` through every mailbox that ``user`` may know of it from, with its account and without what
    it says, by fingerprint. One query."""
    found: dict[str, list[Message]] = {}
    rows = messages_for(user).filter(fingerprint__in={message.fingerprint for message in messages})
    rows = rows.select_related("account").defer("body_text", "body_html")
    for message in rows.order_by("account__address", "pk"):
        found.setdefault(message.fingerprint, []).append(message)
    return found


def looks_at(account: MailAccount) -> QuerySet[Look]:
    """Who looked at an account's mail, newest first. Ask only for accounts that are the user's own."""
    return Look.objects.filter(account=account).select_related("viewer", "message").order_by("-at", "-pk")


def blocked_by(user: Any) -> QuerySet[Blocked]:
    """Whom the user has blocked: nobody else is shown it."""
    return Blocked.objects.filter(owner=user).order_by("pattern")


def senders_for(user: Any) -> QuerySet[MailAccount]:
    """The accounts ``user`` may write from, those that can send first."""
    usable = (
        mailboxes_of(user)
        .exclude(status=AccountStatus.DISCONNECTED)
        .order_by(Case(When(smtp_host="", then=Value(1)), default=Value(0)), "address")
    )
    managed = [each.pk for each in usable if hooks().can_manage(user, each)]
    return usable.filter(pk__in=managed).prefetch_related(
        Prefetch("aliases", Alias.objects.filter(proven_at__isnull=False))
    )


def outgoing_for(user: Any) -> QuerySet[Outgoing]:
    """What ``user`` writes, and has written, from their own accounts; nobody else sees it."""
    if not user.is_authenticated:
        return Outgoing.objects.none()
    return Outgoing.objects.filter(author=user, account__in=mailboxes_of(user))


def undecided(user: Any) -> QuerySet[Outgoing]:
    """What of it wants to be decided about: it wasn't sent, perhaps was, or didn't reach everybody."""
    short = Q(state=OutgoingState.SENT, code=RECIPIENTS_REFUSED)
    return outgoing_for(user).filter(Q(state__in=(OutgoingState.FAILED, OutgoingState.UNCERTAIN)) | short)


def enclosed_in(message: Outgoing) -> QuerySet[Enclosed]:
    """The files that go along with a message, each with its ``size`` and without its bytes."""
    return _files().filter(outgoing=message)


def receipts_for(user: Any) -> QuerySet[AuditEntry]:
    """The receipts of the mailboxes that ``user`` had when they were disconnected, newest first."""
    if not user.is_authenticated:
        return AuditEntry.objects.none()
    return receipts().filter(owner=user)


def receipts() -> QuerySet[AuditEntry]:
    """What disconnecting left behind: an entry for each time, without those that tell what came of it later."""
    return AuditEntry.objects.filter(action=AuditAction.DISCONNECTED).exclude(facts__has_key="receipt")


def erasings_of(user: Any) -> QuerySet[Erasing]:
    """What ``user`` asked to have erased because of whom it is with."""
    return Erasing.objects.filter(asked_by=user) if user.is_authenticated else Erasing.objects.none()


def quarantined_of(account: MailAccount) -> QuerySet[Quarantined]:
    """What is set aside of an account's mail. Ask only for accounts that the user may see."""
    return Quarantined.objects.filter(folder__account=account)


def messages_about(address: str) -> QuerySet[Message]:
    """All that is stored because of a person, in whatever account: messages they take part in, however their address
    is written there, and the rest of those conversations; without what they say. For operators (``export_mail``),
    never for a page."""
    return (
        Message.objects.filter(thread__in=messages_with([address]).values("thread"))
        .select_related("account")
        .prefetch_related("participants", "attachments", "uids__folder")
        .defer("body_text", "body_html")
        .order_by("received_at", "pk")
    )


def messages_with(patterns: Iterable[str]) -> QuerySet[Message]:
    """The stored messages that any of ``patterns`` takes part in, in whatever account. As above; whoever may say what
    is stored about a person is told how many they are, and reads no more of them than others."""
    return Message.objects.filter(pk__in=taking_part(patterns).values("message"))


def taking_part(patterns: Iterable[str]) -> QuerySet[Participant]:
    """Who ``patterns``, addresses or ``@domain``, stand for, of those who take part in stored messages."""
    whom = map(hooks().written, patterns)
    return Participant.objects.order_by().filter(reduce(or_, whom, Q(pk__in=())))


def outgoing_to(address: str) -> QuerySet[Outgoing]:
    """What is being written to a person, or was, in whatever account; without what it says. For operators as well.
    Each of ``enclosed`` has its ``size``, and not its bytes."""
    return (
        written_to([address])
        .select_related("account")
        .prefetch_related("recipients", Prefetch("enclosed", _files()))
        .defer("raw", "body_text", "body_html")
        .order_by("created_at", "pk")
    )


def written_to(patterns: Iterable[str]) -> QuerySet[Outgoing]:
    """What was written here to any of ``patterns``, addresses or ``@domain``."""
    whom = (hooks().written(each, column="lower") for each in patterns)
    theirs = Recipient.objects.annotate(lower=Lower("address")).filter(reduce(or_, whom, Q(pk__in=())))
    return Outgoing.objects.filter(pk__in=theirs.values("outgoing"))
