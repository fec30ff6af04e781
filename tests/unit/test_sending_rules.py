"""What becomes of a message, by what stood in its way."""

from __future__ import annotations

import pytest

from mailaccounts.errors import (
    AdminActionNeeded,
    ConnectionLost,
    CredentialMissing,
    GrantRevoked,
    HostNotFound,
    MailAccountsError,
    MessageRefused,
    PasswordRejected,
    RecipientRefused,
    SendingClosed,
    SendingNotAllowed,
    ServerBusy,
    ServerDown,
    Throttled,
    TokenRejected,
    UnsafeArgument,
)
from mailaccounts.rules.sending import LOOK_AGAIN, Again, Fail, Hold, judge, look_again


@pytest.mark.parametrize(
    ("error", "verdict"),
    [
        (ServerBusy(host="x"), Again),
        (ConnectionLost(host="x"), Again),
        (HostNotFound(host="x"), Again),
        (Throttled(host="x"), Again),
        (AdminActionNeeded(host="x"), Again),
        (SendingClosed(mailbox="x"), Again),
        (MailAccountsError(), Again),
        (PasswordRejected(host="x"), Hold),
        (TokenRejected(host="x"), Hold),
        (GrantRevoked(provider="x"), Hold),
        (CredentialMissing(address="x"), Hold),
        (SendingNotAllowed(address="x"), Fail),
        (RecipientRefused(host="x"), Fail),
        (MessageRefused(host="x"), Fail),
        (UnsafeArgument(what="x"), Fail),
    ],
    ids=lambda each: getattr(each, "code", None),
)
def test_each_error_has_its_verdict(error: MailAccountsError, verdict: type) -> None:
    assert isinstance(judge(error, failures=1), verdict)


def test_the_pauses_grow_and_a_server_may_ask_for_longer_ones() -> None:
    def pause(error: MailAccountsError, failures: int) -> float:
        verdict = judge(error, failures=failures)
        assert isinstance(verdict, Again) and verdict.failed
        return verdict.seconds

    assert 50 < pause(ServerBusy(host="x"), 1) < 70
    assert 1000 < pause(ServerBusy(host="x"), 6) < 3700
    assert pause(Throttled(host="x", retry_after=7200), 1) >= 7200


def test_what_was_not_tried_has_not_failed() -> None:
    verdict = judge(ServerDown(host="x", retry_after=30), failures=3)
    assert isinstance(verdict, Again) and not verdict.failed


def test_one_stops_looking() -> None:
    assert [look_again(number) for number in range(len(LOOK_AGAIN) + 1)] == [*LOOK_AGAIN, None]
