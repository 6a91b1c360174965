"""Spans as a receiver of OpenTelemetry's own protobufs gets them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from otlp_receiver import Receiver, receiving
from plumbline.pipeline.stopwatch import Stopwatch
from plumbline.telemetry.meter import Meter
from plumbline.telemetry.spans import Spans
from plumbline.telemetry.traceparent import parsed
from plumbline.web.exchange import Exchange
from plumbline.web.observation import Observer

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A receiver that runs."""
    with receiving() as server:
        yield server


def ask(observer: Observer, path: str, status: int, error: str | None, traced: bool) -> None:
    """A request that was answered in 20 ms, 15 of them in stages."""
    came = Exchange("POST", path, {"Traceparent": TRACE} if traced else {}, (), 10, lambda: False)
    came.watch = Stopwatch()
    came.watch.laps.update({"decode": 5.0, "infer": 10.0})
    came.error = error
    observer.ended(came, status, 0.02)


def test_a_request_is_a_span_and_each_stage_a_child_of_it(receiver: Receiver) -> None:
    address = f"http://127.0.0.1:{receiver.server_port}/"
    spans = Spans(address, {"service.name": "plumbline"})
    observer = Observer(Meter(None, 0), spans)

    ask(observer, "/invocations", 200, None, traced=True)
    ask(observer, "/v1/models/secret:predict", 500, "internal_error", traced=False)
    spans.close()

    (resource,) = receiver.received[0].resource_spans
    assert ("service.name", "plumbline") in {
        (one.key, one.value.string_value) for one in resource.resource.attributes
    }
    found = {span.name: span for span in receiver.spans if span.kind == Span.SPAN_KIND_SERVER}
    assert set(found) == {"POST /invocations", "POST /v1/models/{name}:predict"}
    traced, failed = found.values()
    assert traced.trace_id.hex() == parsed(TRACE).trace_id
    assert traced.parent_span_id.hex() == parsed(TRACE).span_id
    assert not failed.parent_span_id
    assert failed.status.code == Status.STATUS_CODE_ERROR
    said = {one.key: one.value for one in failed.attributes}
    assert said["http.response.status_code"].int_value == 500
    assert said["error.type"].string_value == "internal_error"
    assert said["http.route"].string_value == "/v1/models/{name}:predict"
    assert "error.type" not in {one.key for one in traced.attributes}
    stages = [span for span in receiver.spans if span.parent_span_id == traced.span_id]
    lasted = [(one.name, one.end_time_unix_nano - one.start_time_unix_nano) for one in stages]
    assert lasted == [("decode", 5_000_000), ("infer", 10_000_000)]
    assert traced.end_time_unix_nano - traced.start_time_unix_nano == 20_000_000
    assert stages[1].start_time_unix_nano == stages[0].end_time_unix_nano
    assert len({span.trace_id for span in receiver.spans}) == 2
