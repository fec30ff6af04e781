"""Runs work whose failure must not say anything of what it worked on."""

from __future__ import annotations

import logging
import traceback
from typing import TYPE_CHECKING

from mailaccounts.services.telling import troubles

if TYPE_CHECKING:
    from collections.abc import Callable

logger = logging.getLogger(__name__)


def safely(work: Callable[[], object]) -> None:
    """Runs ``work``; what it raises is logged by its type and frames, which hold no values, and goes no further."""
    try:
        work()
    except Exception as error:  # noqa: BLE001 - it would end up in a task row
        troubles.note(error)
        frames = "".join(traceback.format_tb(error.__traceback__))
        logger.error("a task failed: %s\n%s", type(error).__name__, frames)
