"""What of an account's mail an heir gets, and what is erased instead: as its owner let colleagues see it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.db.models import Exists, OuterRef, Q

from mailaccounts.models import Attachment, Message, Shown, Visibility

if TYPE_CHECKING:
    from django.db.models import QuerySet

    from mailaccounts.models import MailAccount


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """Of an account's messages, how many an heir may read, and of how many they see subject and participants only; the
    rest is ``private`` and erased."""

    readable: int
    subject: int
    private: int

    @classmethod
    def of(cls, account: MailAccount) -> Share:
        """Three queries."""
        subject, unseen = subject_only(account).count(), private(account).count()
        return cls(
            readable=Message.objects.filter(account=account).count() - subject - unseen,
            subject=subject,
            private=unseen,
        )

    @property
    def handed_over(self) -> int:
        return self.readable + self.subject

    @property
    def all(self) -> int:
        return self.handed_over + self.private


def private(account: MailAccount) -> QuerySet[Message]:
    return Message.objects.filter(is_private(account), account=account)


def subject_only(account: MailAccount) -> QuerySet[Message]:
    """Those of which colleagues know subject and participants, and we what they say."""
    says = Q(has_body=True) | Exists(Attachment.objects.filter(message=OuterRef("pk")))
    return Message.objects.filter(is_subject_only(account), says, account=account)


def is_private(account: MailAccount) -> Q:
    """Messages that nobody but the owner could know of."""
    return Q(shown=Shown.HIDDEN) if account.visibility != Visibility.OWNER else ~Q(shown=Shown.REVEALED)


def is_subject_only(account: MailAccount) -> Q:
    return Q(shown=Shown.AS_ACCOUNT) if account.visibility == Visibility.SUBJECT else Q(pk__in=())
