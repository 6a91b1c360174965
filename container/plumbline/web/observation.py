"""What is told of a request besides its line in the log: metrics, spans, a header for browsers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from plumbline.pipeline.stopwatch import Stopwatch
from plumbline.telemetry.label_values import outcome_of_load, route_of
from plumbline.telemetry.meter import Meter
from plumbline.telemetry.spans import STATUS, Spans
from plumbline.telemetry.traceparent import Trace

OBSERVER = "plumbline.observer"
"""The extension of the app that is told of its requests."""

ROUTES = {"invoke": "/models/{name}/invoke", "models": "/models", "invocations": "/invocations"}
"""How OpenTelemetry's `http.route` names a kind of address; TensorFlow Serving's have a method."""


class Ended(Protocol):
    """What is known of a request once it has been answered."""

    method: str
    path: str
    length: int | None
    error: str | None
    id: str
    trace: Trace | None
    watch: Stopwatch


@dataclass(frozen=True)
class Observer:
    """What of it there is; by itself nothing."""

    meter: Meter | None = None
    spans: Spans | None = None
    tells_timing: bool = False
    """Whether answers say how long the stages took."""

    def ended(self, came: Ended, status: int, seconds: float) -> None:
        """Count a request that was answered in so many seconds."""
        if self.meter:
            self.meter.request(came.path, status, came.error, seconds, came.length)
            self.meter.stages(came.watch.laps)
            self.meter.pictures(came.watch.answered, came.watch.refused, came.error)
            if self.meter.many:
                self.count_models(self.meter, came, status, seconds)
        if self.spans:
            self.add_span(self.spans, came, status, seconds)

    def count_models(self, meter: Meter, came: Ended, status: int, seconds: float) -> None:
        """Count what loads or unloads a model."""
        if (came.method, came.path) == ("POST", "/models"):
            meter.model_load(outcome_of_load(status, came.error), seconds)
        elif came.method == "DELETE" and status == 200:
            meter.model_unload()

    def add_span(self, spans: Spans, came: Ended, status: int, seconds: float) -> None:
        """Send a span, with the attributes that OpenTelemetry names."""
        kind = route_of(came.path, many=bool(self.meter and self.meter.many))
        route = ROUTES.get(kind, "" if kind == "other" else f"/v1/models/{{name}}:{kind}")
        attributes = {
            "http.request.method": came.method,
            "http.route": route or None,
            STATUS: status,
            "error.type": came.error,
            "plumbline.request_id": came.id,
        }
        name = f"{came.method} {route}".rstrip()
        spans.add(came.trace, name, seconds, came.watch.laps, attributes)


NOBODY = Observer()


def server_timing(laps: Mapping[str, float], seconds: float) -> str:
    """The stages and the whole, in milliseconds, as browsers read them."""
    spent = [f"{stage};dur={lap:.2f}" for stage, lap in laps.items() if stage.isidentifier()]
    return ", ".join((*spent, f"total;dur={1000 * seconds:.2f}"))
