"""What was done with mail, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.template.defaultfilters import pluralize

from mailaccounts.models import Act, ActionState

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mailaccounts.models import MailAction

MARKS = {
    Act.READ: "marked as read",
    Act.UNREAD: "marked as unread",
    Act.FLAG: "flagged",
    Act.UNFLAG: "freed of the flag",
}


def done(actions: Iterable[MailAction]) -> str:
    """What was done by one press of a button; "" when nothing is left of it, or nothing came of it."""
    there = [action for action in actions if not action.undone and action.state != ActionState.REFUSED]
    return f"{_messages(there)} {_participle(there[0])}." if there else ""


def refused(action: MailAction) -> str:
    """What couldn't be done, and why."""
    words = f"{_messages([action])} couldn't be {_participle(action)}. {action.message}"
    return f"Undoing didn't work: {words}" if action.reverses_id else words


def _messages(actions: Iterable[MailAction]) -> str:
    count = sum(len(action.messages) for action in actions)
    return f"{count} message{pluralize(count)}"


def _participle(action: MailAction) -> str:
    if action.act != Act.MOVE:
        return MARKS[Act(action.act)]
    return f"moved to {action.target.name}" if action.target else "archived"
