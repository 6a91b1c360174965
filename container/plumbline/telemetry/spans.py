"""A span for each request and a child for each of its stages, sent by OTLP over HTTP.

The library comes with the extra `otel`, and is imported where spans are asked for. Spans are made
once a request has been answered, of its stopwatch; a thread of the library's sends them.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from typing import Any

from plumbline.telemetry.traceparent import Trace

PATH = "/v1/traces"
"""What OTLP adds to the address of its receiver."""

CLOSING_SECONDS = 2.0
"""What the last spans may take: the end of a server is soon."""

NANO = 1_000_000_000

STATUS = "http.response.status_code"
"""The attribute, as OpenTelemetry names it."""


class Spans:
    """Sends spans to `endpoint`, such as http://127.0.0.1:4318; `service` says who sends them.

    Must be made in the process that uses it, after the fork.
    """

    def __init__(self, endpoint: str, service: Mapping[str, str]) -> None:
        from opentelemetry import trace
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        self._api = trace
        self._provider = TracerProvider(resource=Resource.create(dict(service)))
        exporter = OTLPSpanExporter(endpoint=endpoint.rstrip("/") + PATH)
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("plumbline")

    def add(
        self,
        parent: Trace | None,
        name: str,
        seconds: float,
        laps: Mapping[str, float],
        attributes: Mapping[str, Any],
    ) -> None:
        """A request that took so many seconds until now; its stages, in milliseconds, follow each
        other in its span, but for those inside of a handler.
        """
        end = time.time_ns()
        begun = end - int(seconds * NANO)
        span = self._tracer.start_span(
            name,
            context=context_of(self._api, parent),
            kind=self._api.SpanKind.SERVER,
            attributes={key: value for key, value in attributes.items() if value is not None},
            start_time=begun,
        )
        inside = self._api.set_span_in_context(span)
        for stage, spent in laps.items():
            child = self._tracer.start_span(stage, context=inside, start_time=begun)
            child.end(begun + int(spent * NANO / 1000))
            if stage != "handler":
                begun += int(spent * NANO / 1000)
        if attributes.get(STATUS, 0) >= 500:
            span.set_status(self._api.StatusCode.ERROR)
        span.end(end)

    def close(self) -> None:
        """Send what has not been sent yet; who does not take it soon is not waited for."""
        last = threading.Thread(target=self._provider.shutdown, daemon=True)
        last.start()
        last.join(CLOSING_SECONDS)


def context_of(trace: Any, parent: Trace | None) -> Any:
    """The context that a span belongs to; None begins a trace."""
    if parent is None:
        return None
    remote = trace.SpanContext(
        int(parent.trace_id, 16),
        int(parent.span_id, 16),
        is_remote=True,
        trace_flags=trace.TraceFlags(int(parent.is_sampled)),
    )
    return trace.set_span_in_context(trace.NonRecordingSpan(remote))
