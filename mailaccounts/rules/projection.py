"""When a campaign will be done, if it goes on as it did so far."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime


def finish(*, moved: int, left: int, since: datetime | None, now: datetime) -> datetime | None:
    """The moment at which ``left`` accounts will have moved at the pace of the ``moved`` ones since ``since``.

    None while there is no pace to go by, nothing left, or an end so far away that it means nothing.
    """
    if since is None or moved < 1 or left < 1 or now <= since:
        return None
    try:
        return now + (now - since) / moved * left
    except OverflowError:
        return None
