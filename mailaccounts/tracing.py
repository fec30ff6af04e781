"""Spans for OpenTelemetry where its API is installed (``django-mailaccounts[tracing]``), nothing where it isn't.

A span has the number of the account it is about and, if the work failed, the code of the error: no address, and no
text of an exception.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

try:
    from opentelemetry import trace
except ImportError:
    trace = None  # type: ignore[assignment]  # it is an extra

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def span(name: str, **about: int | str) -> Iterator[None]:
    """Traces the work within as ``name``; ``about`` become attributes under "mailaccounts."."""
    if trace is None:
        yield
        return
    tracer = trace.get_tracer("mailaccounts")
    attributes = {f"mailaccounts.{key}": value for key, value in about.items()}
    with tracer.start_as_current_span(
        name, attributes=attributes, record_exception=False, set_status_on_exception=False
    ):
        try:
            yield
        except Exception as error:
            fail(getattr(error, "code", type(error).__name__))
            raise


def fail(code: str) -> None:
    """The work of the current span came to nothing, for the reason ``code`` stands for."""
    if trace is not None:
        current = trace.get_current_span()
        current.set_attribute("mailaccounts.error", code)
        current.set_status(trace.Status(trace.StatusCode.ERROR))
