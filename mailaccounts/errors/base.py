"""The root of the tree, and the remedies."""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar


class Remedy(StrEnum):
    """What helps: who has to do something, if anyone."""

    WAIT = "wait"  # nobody: it passes, and we try again
    RETRY = "retry"  # the user: the same step once more
    FIX_INPUT = "fix_input"  # the user: something typed is wrong
    FIX_HOST = "fix_host"  # the user: host, port or security
    RECONNECT = "reconnect"  # the owner: sign in again
    ASK_ADMIN = "ask_admin"  # the administrator of the mailbox
    FREE_SPACE = "free_space"  # the owner: the mailbox is full
    OPERATOR = "operator"  # whoever runs this installation


class MailAccountsError(Exception):
    """The root. Subclasses set ``code``, ``remedy``, ``sentence`` (what happened) and ``next_step``."""

    code: ClassVar[str] = "error"
    remedy: ClassVar[Remedy] = Remedy.OPERATOR
    sentence: ClassVar[str] = "Something went wrong."
    next_step: ClassVar[str] = "Try again; if it happens once more, tell whoever runs this installation."

    def __init__(self, **facts: str | int) -> None:
        """``facts`` fill the placeholders of the sentence; only values that are safe to show."""
        self.facts = facts
        super().__init__(self.message)

    @classmethod
    def coded(cls, code: str) -> type[MailAccountsError] | None:
        """The error of this branch that has ``code``, as a row remembers it; None when there is none any more."""
        if cls.__dict__.get("code") == code:
            return cls
        return next((found for each in cls.__subclasses__() if (found := each.coded(code))), None)

    @property
    def message(self) -> str:
        """The sentence and the next step, as a person reads them."""
        return f"{self.sentence.format_map(self.facts)} {self.next_step.format_map(self.facts)}"

    def as_json(self) -> dict[str, str]:
        """The shape every command prints: ``{"code", "remedy", "message"}``."""
        return {"code": self.code, "remedy": self.remedy.value, "message": self.message}
