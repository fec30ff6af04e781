"""Whether an entry of the audit trail still says what was signed when it was written."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from mailaccounts.conf import settings
from mailaccounts.crypto import Signature

if TYPE_CHECKING:
    from mailaccounts.models import AuditEntry


class Verdict(StrEnum):
    """The best first."""

    VALID = "valid"
    ANOTHERS = "anothers"  # it fits, but the key is none of ours
    UNSIGNED = "unsigned"
    INVALID = "invalid"


def check(entry: AuditEntry) -> tuple[Signature | None, Verdict]:
    """The signature, None where there is none that can be read, and what it is worth."""
    if not entry.signature:
        return None, Verdict.UNSIGNED
    try:
        signature = Signature.parse(entry.signature)
    except ValueError:
        return None, Verdict.INVALID
    if not signature.fits(entry.statement):
        return signature, Verdict.INVALID
    return signature, Verdict.VALID if signature.key in settings.trusted_keys else Verdict.ANOTHERS
