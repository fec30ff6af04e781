"""The steps of an account's way from one sign-in to another, and which may follow which."""

from __future__ import annotations

from enum import StrEnum


class MigrationState(StrEnum):
    """Where an account is on its way. The old sign-in serves until SWITCHED, whatever happens."""

    CHOSEN = "chosen"  # it shall move
    INVITED = "invited"  # its owner was asked to consent
    CONSENTED = "consented"  # a new sign-in is there, and not proven yet
    VERIFIED = "verified"  # proven beside the old one
    SWITCHED = "switched"  # it is the one in use; the old one is kept, sealed
    FAILED = "failed"  # with a code; it can be tried again
    ROLLED_BACK = "rolled_back"  # the old one is in use again
    CANCELLED = "cancelled"


_NEXT: dict[MigrationState, frozenset[MigrationState]] = {
    MigrationState.CHOSEN: frozenset(
        {MigrationState.INVITED, MigrationState.CONSENTED, MigrationState.FAILED, MigrationState.CANCELLED}
    ),
    MigrationState.INVITED: frozenset(
        {MigrationState.CONSENTED, MigrationState.FAILED, MigrationState.CANCELLED, MigrationState.CHOSEN}
    ),
    # A newer consent takes the place of one that isn't in use yet, and a proof that is old has to be given anew.
    MigrationState.CONSENTED: frozenset(
        {MigrationState.CONSENTED, MigrationState.VERIFIED, MigrationState.FAILED, MigrationState.CANCELLED}
    ),
    MigrationState.VERIFIED: frozenset(
        {MigrationState.CONSENTED, MigrationState.SWITCHED, MigrationState.FAILED, MigrationState.CANCELLED}
    ),
    MigrationState.SWITCHED: frozenset({MigrationState.ROLLED_BACK}),
    MigrationState.FAILED: frozenset({MigrationState.CHOSEN, MigrationState.CONSENTED, MigrationState.CANCELLED}),
    MigrationState.ROLLED_BACK: frozenset(),
    MigrationState.CANCELLED: frozenset(),
}

UNDER_WAY = frozenset(
    {
        MigrationState.CHOSEN,
        MigrationState.INVITED,
        MigrationState.CONSENTED,
        MigrationState.VERIFIED,
        MigrationState.FAILED,
    }
)
"""An account is on one way at a time: in one of these, it can't begin another."""


def may_follow(now: MigrationState, then: MigrationState) -> bool:
    """Whether a step in ``now`` may go to ``then``. Moving again after a rollback is a new step."""
    return then in _NEXT[now]
