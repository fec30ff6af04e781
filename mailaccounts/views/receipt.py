"""A receipt as a page and a file tell it: what was done at once, and what has come of the rest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mailaccounts.backends.registry import backends
from mailaccounts.models import AuditEntry
from mailaccounts.services.disconnect import Reason
from mailaccounts.services.give_back import PATIENCE, Outcome

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from django.db.models import QuerySet

WORDS = {
    Outcome.REVOKED: "{provider} was told, and has ended the permission.",
    Outcome.UNTELLABLE: "{provider} can't be told by a program. What we held of the permission is destroyed.",
    Outcome.ENDED: "{provider} had ended the permission before.",
    Outcome.IN_USE: "The permission goes on: another mailbox that is connected here uses it.",
    Outcome.ORGANISATION: "An administrator gave this permission for more than this mailbox, and can end it.",
    Outcome.PENDING: "{provider} has yet to be told. We keep trying, and destroy what we still hold of the permission "
    "in any case by",
    Outcome.GIVEN_UP: "{provider} couldn't be told. What we held of the permission is destroyed.",
}
YOURS_TO_END = {Outcome.UNTELLABLE, Outcome.PENDING, Outcome.GIVEN_UP}
WHY = {
    Reason.ASKED: "",
    Reason.DEACTIVATED: "because its owner was deactivated",
    Reason.DELETED: "because its owner was deleted",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Permission:
    """What became of what somebody allowed at a provider. ``until`` is how long we keep trying to tell it; ``by_hand``
    is where a person can end it, "" for nowhere or no need."""

    provider: str
    signed_in_as: str
    outcome: Outcome
    words: str
    at: datetime
    until: datetime | None
    by_hand: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """``by`` is "" when nobody asked for it; ``why`` then says what did. ``erased_at`` is None while mail is still
    being erased, and for mail that is kept."""

    id: str
    account: int
    address: str
    at: datetime
    by: str
    why: str
    destroyed: int
    permissions: list[Permission]
    typed: list[str]
    app_password_url: str
    mail: str
    messages: int
    erased_at: datetime | None

    @classmethod
    def of(cls, entry: AuditEntry) -> Receipt:
        """Two queries: what came of it later is in entries of their own."""
        facts = entry.facts
        later = list(_later(entry))
        told = {each.facts["grant"]: each for each in later if "grant" in each.facts}
        erased = [each.at for each in later if "erased" in each.facts]
        return cls(
            id=str(entry.pk),
            account=entry.account,
            address=entry.address,
            at=entry.at,
            by=entry.actor.get_username() if entry.actor else "",
            why=WHY[Reason(facts["reason"])],
            destroyed=facts["destroyed"] + len(told),
            permissions=[
                _permission(grant, told.get(grant_id), at=entry.at) for grant_id, grant in facts["grants"].items()
            ],
            typed=_labels(facts["typed"]),
            app_password_url=facts["app_password_url"],
            mail=facts["mail"],
            messages=facts["messages"],
            erased_at=erased[0] if erased else None,
        )

    @property
    def erasing(self) -> bool:
        return self.mail == "erased" and self.erased_at is None

    def as_json(self) -> dict[str, Any]:
        return {
            "receipt": self.id,
            "address": self.address,
            "disconnected_at": self.at.isoformat(),
            "by": self.by or None,
            "why": self.why or None,
            "secrets_destroyed": self.destroyed,
            "permissions": [
                {
                    "provider": each.provider,
                    "signed_in_as": each.signed_in_as,
                    "outcome": each.outcome,
                    "at": each.at.isoformat(),
                    "end_it_yourself": each.by_hand or None,
                }
                for each in self.permissions
            ],
            "mail": {
                "messages": self.messages,
                "outcome": "erasing" if self.erasing else self.mail,
                "erased_at": self.erased_at.isoformat() if self.erased_at else None,
            },
        }


def _later(entry: AuditEntry) -> QuerySet[AuditEntry]:
    found = AuditEntry.objects.filter(account=entry.account, action=entry.action, facts__receipt=str(entry.pk))
    return found.order_by("at")


def _permission(grant: Mapping[str, str], told: AuditEntry | None, *, at: datetime) -> Permission:
    outcome = Outcome(told.facts["outcome"] if told else grant["outcome"])
    return Permission(
        provider=grant["provider"],
        signed_in_as=grant["signed_in_as"],
        outcome=outcome,
        words=WORDS[outcome].format(provider=grant["provider"]),
        at=told.at if told else at,
        until=at + PATIENCE if outcome is Outcome.PENDING else None,
        by_hand=grant["by_hand"] if outcome in YOURS_TO_END else "",
    )


def _labels(slugs: Iterable[str]) -> list[str]:
    known = backends()
    return [known[slug].label if slug in known else slug for slug in slugs]
