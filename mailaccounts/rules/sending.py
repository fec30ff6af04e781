"""What becomes of a message that couldn't be sent, or not be filed, judged by what stood in the way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mailaccounts.errors import (
    AccountDisconnected,
    AuthenticationRejected,
    InvalidInput,
    OAuthError,
    PutOff,
    Remedy,
    SendingError,
)
from mailaccounts.rules.backoff import next_delay, put_off_delay

if TYPE_CHECKING:
    from mailaccounts.errors import MailAccountsError

LOOK_AGAIN = (60.0, 600.0, 3600.0, 6 * 3600.0)  # seconds until the next look for a message that may have been sent


@dataclass(frozen=True, slots=True, kw_only=True)
class Again:
    """It passes: another attempt after so many ``seconds``. ``failed`` unless it wasn't even tried."""

    seconds: float
    failed: bool = True


@dataclass(frozen=True, slots=True)
class Hold:
    """Its owner has to sign the account in first. It isn't tried before: each refusal counts towards a lock-out."""


@dataclass(frozen=True, slots=True)
class Fail:
    """It would go no better next time."""


Verdict = Again | Hold | Fail


def judge(error: MailAccountsError, *, failures: int) -> Verdict:
    """What to do about a message the server doesn't have, after so many ``failures`` in a row, this one included."""
    match error:
        case SendingError() | InvalidInput() | AccountDisconnected():
            return Fail()
        case PutOff():
            return Again(seconds=put_off_delay(error.retry_after), failed=False)
        case AuthenticationRejected(remedy=Remedy.RECONNECT) | OAuthError(remedy=Remedy.RECONNECT):
            return Hold()
        case _:
            return Again(seconds=next_delay(failures, retry_after=getattr(error, "retry_after", None)))


def look_again(looks: int) -> float | None:
    """Seconds until the next look into Sent, after so many in vain; None: only a person can tell by now."""
    return LOOK_AGAIN[looks] if looks < len(LOOK_AGAIN) else None
