"""W3C's Trace Context, by its own examples, and the ways on which it comes."""

from __future__ import annotations

import pytest
from opentelemetry import trace
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from plumbline.telemetry.traceparent import parsed, trace_of

GOOD = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

ATTRIBUTES = "X-Amzn-Sagemaker-Custom-Attributes"
ID = "X-Amzn-Sagemaker-Inference-Id"


@pytest.mark.parametrize(
    "text",
    [
        GOOD,
        GOOD[:-2] + "00",
        "cc" + GOOD[2:],
        "ff" + GOOD[2:],
        GOOD.upper(),
        GOOD[:-1],
        GOOD.replace("4bf92f3577b34da6a3ce929d0e0e4736", "0" * 32),
        GOOD.replace("00f067aa0ba902b7", "0" * 16),
        "hello",
        "",
    ],
)
def test_what_is_a_trace_is_what_opentelemetry_takes_for_one(text: str) -> None:
    context = TraceContextTextMapPropagator().extract({"traceparent": text})
    theirs = trace.get_current_span(context).get_span_context()
    ours = parsed(text)

    assert (ours is not None) == theirs.is_valid
    if ours:
        assert int(ours.trace_id, 16) == theirs.trace_id
        assert int(ours.span_id, 16) == theirs.span_id
        assert ours.is_sampled == theirs.trace_flags.sampled


OTHER = GOOD.replace("4bf9", "1111")


@pytest.mark.parametrize(
    ("headers", "trace_id"),
    [
        ({"Traceparent": GOOD, ATTRIBUTES: f"traceparent={OTHER}", ID: OTHER}, "4bf9"),
        ({ATTRIBUTES: f"top_k=3, traceparent={GOOD} ,x=y", ID: OTHER}, "4bf9"),
        ({ATTRIBUTES: f"xtraceparent={GOOD}", ID: OTHER}, "1111"),
        ({ID: OTHER}, "1111"),
        ({ID: "order-17"}, None),
        ({}, None),
        ({"Traceparent": "broken", ID: GOOD}, None),
    ],
)
def test_the_header_counts_then_the_attribute_then_the_inference_id(
    headers: dict[str, str], trace_id: str | None
) -> None:
    found = trace_of(headers)

    assert (found and found.trace_id[:4]) == trace_id
