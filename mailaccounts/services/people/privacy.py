"""What an account's owner lets others see of its mail, and whom they block."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.db.models import Q

from mailaccounts.models import AuditAction, Blocked, MailAccount, Message, Shown, Visibility, Why
from mailaccounts.services.people import directory, forgetting, justified
from mailaccounts.services.trail import audit

if TYPE_CHECKING:
    from mailaccounts.models import Erasing
    from mailaccounts.services.people.justified import Unjustified


def share(account: MailAccount, visibility: Visibility, *, actor: Any) -> bool:
    """Shows others so much of the account's mail from now on; False when it is so already."""
    with transaction.atomic():
        before = MailAccount.objects.select_for_update(of=("self",)).get(pk=account.pk).visibility
        if before == visibility:
            return False
        MailAccount.objects.filter(pk=account.pk).update(visibility=visibility)
        audit.note(AuditAction.SHARED, account, actor=actor, before=before, after=visibility)
    account.visibility = visibility
    return True


def show(message: Message, shown: Shown, *, actor: Any) -> bool:
    """Shows others more or less of one message than of the rest of its account; which, the audit trail tells by its
    number only. False when it has just been erased."""
    with transaction.atomic():
        found = Message.objects.select_for_update(of=("self",)).only("shown").filter(pk=message.pk).first()
        if found is None:
            return False
        if (before := found.shown) != shown:
            Message.objects.filter(pk=message.pk).update(shown=shown)
            facts = {"message": message.pk, "before": before, "after": str(shown)}
            audit.note(AuditAction.SHOWN, message.account, actor=actor, **facts)
    message.shown = shown
    return True


def block(owner: Any, pattern: str) -> Blocked:
    """Counts ``pattern`` (rules.blocking.pattern_of) as nobody's in all mailboxes of ``owner`` from now on. What is
    stored stays (see ``erase_blocked``)."""
    return Blocked.objects.get_or_create(owner=owner, pattern=pattern)[0]


@transaction.atomic
def unblock(blocked: Blocked) -> None:
    """Mail with them counts again; that of the past is looked for, in the owner's mailboxes that look back."""
    blocked.delete()
    directory.added([blocked.pattern], owner=blocked.owner)


def stored_with(blocked: Blocked) -> Unjustified:
    """How much is stored in their owner's mailboxes that nobody justifies now that they are blocked."""
    return justified.count([blocked.pattern], accounts=Q(owner=blocked.owner_id, handed_over_at=None))


def erase_blocked(blocked: Blocked) -> Erasing:
    """Has that erased in the background."""
    return forgetting.begin([blocked.pattern], why=Why.BLOCKED, asked_by=blocked.owner, owner=blocked.owner)
