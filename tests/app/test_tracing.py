"""Spans for OpenTelemetry say which account, and of a failure its code; without the package there are none."""

from __future__ import annotations

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from mailaccounts import tracing
from mailaccounts.services.syncing.sync import sync_account
from tests.app.builders import make_account


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    """What is traced; the provider is a test's own, since OpenTelemetry lets a process have one for good."""
    kept, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(kept))
    monkeypatch.setattr(trace, "get_tracer", provider.get_tracer)
    return kept


@pytest.mark.django_db
def test_a_sync_that_fails_is_a_span_with_the_code_of_why(spans: InMemorySpanExporter) -> None:
    account = make_account()  # nothing to sign in with
    report = sync_account(account.pk)
    [span] = spans.get_finished_spans()
    assert report.error
    assert span.name == "mailaccounts.sync"
    assert span.attributes == {"mailaccounts.account": account.pk, "mailaccounts.error": report.error.code}
    assert not span.status.is_ok
    assert account.address not in span.to_json()


def test_a_fault_is_told_by_its_kind_only(spans: InMemorySpanExporter) -> None:
    with pytest.raises(ValueError, match="olga"), tracing.span("work"):
        raise ValueError("olga@example.test")
    [span] = spans.get_finished_spans()
    assert span.attributes == {"mailaccounts.error": "ValueError"}
    assert "olga" not in span.to_json()


def test_without_the_package_work_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracing, "trace", None)
    with tracing.span("work", account=1):
        tracing.fail("grant_revoked")
