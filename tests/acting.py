"""What became of the things done with conversations."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailaccounts.models import MailAction

if TYPE_CHECKING:
    from mailaccounts.models import Thread


def states() -> list[str]:
    """How each of them is doing, in the order in which they were asked for."""
    return list(MailAction.objects.order_by("pk").values_list("state", flat=True))


def lying(thread: Thread) -> list[str]:
    """The folders that the conversation is shown in."""
    return sorted(thread.folders.values_list("folder__name", flat=True))
