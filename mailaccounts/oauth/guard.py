"""What leaves a provider: an OAuthError, without the frames and causes in which tokens lie about."""

from __future__ import annotations

import logging
import traceback
from functools import wraps
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from mailaccounts.errors import OAuthError, ProviderUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable

P = ParamSpec("P")
R = TypeVar("R")

STUMBLES = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RuntimeError, AssertionError)
"""What MSAL and others raise on an answer that doesn't have the form they expect."""

logger = logging.getLogger(__name__)


def guarded(method: Callable[P, R]) -> Callable[P, R]:
    """Makes a provider's method raise OAuthError only: an answer that it stumbles over is an outage.

    The error starts out afresh. Its frames and what it came of hold the request with its tokens and our client
    secret, which an error tracker or Django's debug page would print.
    """

    @wraps(method)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return method(*args, **kwargs)
        except OAuthError as error:
            failure = error
        except STUMBLES as error:
            frames = "".join(traceback.format_tb(error.__traceback__))  # they hold no values
            logger.error("%s stumbled: %s\n%s", method.__qualname__, type(error).__name__, frames)
            provider: Any = args[0]
            failure = ProviderUnavailable(provider=provider.label)
        failure.__cause__ = failure.__context__ = None
        raise failure.with_traceback(None)

    return wrapped
