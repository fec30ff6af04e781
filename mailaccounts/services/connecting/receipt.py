"""A receipt as a page and a file tell it: what was done at once, and what has come of the rest."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mailaccounts.backends.registry import backends
from mailaccounts.models import AuditEntry
from mailaccounts.services.connecting.disconnect import Reason
from mailaccounts.services.signing_in.give_back import PATIENCE, Outcome
from mailaccounts.services.trail import signatures
from mailaccounts.services.trail.signatures import Verdict

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
VERDICTS = {
    Verdict.VALID: "Valid: nothing in this receipt was changed since it was written.",
    Verdict.ANOTHERS: "Fits, but isn't by a key that this installation knows: compare its id with the one you hold.",
    Verdict.UNSIGNED: "Not signed, so that nothing proves it: there was no key then, or the signature was removed.",
    Verdict.INVALID: "Not valid: something in this receipt was changed since it was signed.",
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
class HandedOver:
    """To whom the mail went, and how much of it: ``messages`` as a whole, of ``subject_only`` who takes part and the
    subject; the rest is ``erased``. ``by`` is "" where the host's settings did it."""

    at: datetime
    to: str
    by: str
    messages: int
    subject_only: int
    erased: int

    @classmethod
    def of(cls, entry: AuditEntry) -> HandedOver:
        facts = entry.facts
        counts = {"messages": facts["handed_over"], "subject_only": facts["subject_only"], "erased": facts["erased"]}
        return cls(at=entry.at, to=facts["to"], by=facts["by"], **counts)

    def as_json(self) -> dict[str, Any]:
        return {
            "handed_over_at": self.at.isoformat(),
            "handed_over_to": self.to,
            "handed_over_by": self.by or None,
            "handed_over": self.messages,
            "subject_only": self.subject_only,
            "erased": self.erased,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """A part of the receipt as it was written and signed then, for anybody to check with the public key."""

    text: str
    signature: str
    public_key: str
    key_id: str
    verdict: Verdict

    @classmethod
    def of(cls, entry: AuditEntry) -> Signed:
        signature, verdict = signatures.check(entry)
        return cls(
            text=entry.statement,
            signature=base64.b64encode(signature.value).decode() if signature else "",
            public_key=signature.key.pem if signature else "",
            key_id=signature.key.key_id if signature else "",
            verdict=verdict,
        )

    def as_json(self) -> dict[str, str]:
        return {"text": self.text, "signature": self.signature, "key": self.key_id, "public_key": self.public_key}


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
    handed: HandedOver | None
    signed: list[Signed]

    @classmethod
    def of(cls, entry: AuditEntry) -> Receipt:
        """Two queries: what came of it later is in entries of their own."""
        facts = entry.facts
        later = list(_later(entry))
        told = {each.facts["grant"]: each for each in later if "grant" in each.facts}
        handed = next((each for each in later if "handed_over" in each.facts), None)
        erased = [each.at for each in later if each.facts.get("erased") is True]
        return cls(
            id=str(entry.pk),
            account=entry.account,
            address=entry.address,
            at=entry.at,
            by=facts.get("by", ""),
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
            handed=HandedOver.of(handed) if handed else None,
            signed=[Signed.of(each) for each in (entry, *later)],
        )

    @property
    def verdict(self) -> Verdict:
        """On all that it says: the worst one on any part of it."""
        return max((each.verdict for each in self.signed), key=list(Verdict).index)

    @property
    def verdict_words(self) -> str:
        return VERDICTS[self.verdict]

    @property
    def keys(self) -> list[str]:
        """The ids of the keys it is signed with."""
        return list(dict.fromkeys(each.key_id for each in self.signed if each.key_id))

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
                "outcome": "erasing" if self.erasing else "handed_over" if self.handed else self.mail,
                "erased_at": self.erased_at.isoformat() if self.erased_at else None,
                **(self.handed.as_json() if self.handed else {}),
            },
            "signed": [each.as_json() for each in self.signed],
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
