"""From the codes that rows remember to what helps."""

from __future__ import annotations

from functools import cache

from mailaccounts.errors import MailAccountsError, Remedy

WORDS = {
    Remedy.RECONNECT: "The owner signs in again",
    Remedy.FIX_INPUT: "The owner corrects something",
    Remedy.FIX_HOST: "The owner corrects the server",
    Remedy.FREE_SPACE: "The owner makes room",
    Remedy.RETRY: "The owner tries again",
    Remedy.ASK_ADMIN: "The mailbox's administrator acts",
    Remedy.OPERATOR: "We act: this installation",
    Remedy.WAIT: "Nobody: it passes",
}


def remedy_of(code: str) -> Remedy:
    """What helps against what ``code`` stands for; of one that isn't known any more, we have to find out."""
    return _remedies().get(code, Remedy.OPERATOR)


def codes_of(remedy: Remedy) -> list[str]:
    """The codes of all that ``remedy`` helps against."""
    return sorted(code for code, each in _remedies().items() if each is remedy)


@cache
def _remedies() -> dict[str, Remedy]:
    found: dict[str, Remedy] = {}
    branches: list[type[MailAccountsError]] = [MailAccountsError]
    while branches:
        error = branches.pop()
        found.setdefault(error.code, error.remedy)
        branches.extend(error.__subclasses__())
    return found
