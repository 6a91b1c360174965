"""The metrics as Prometheus reads them, computed for each scrape that needs it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping

from prometheus_client import Metric
from prometheus_client.exposition import choose_encoder

from plumbline.telemetry.series import Series

OPEN_METRICS = "application/openmetrics-text"

Families = Callable[[], Iterable[Metric]]


class Exposition:
    """Gives what `families` finds; of many that ask at once, few have it looked up.

    Nobody gets numbers from before it asked: another process may have given newer ones meanwhile,
    and a counter would seem to fall.
    """

    def __init__(self, families: Families) -> None:
        self._families = families
        self._lock = threading.Lock()
        self._begun = 0.0
        self._found: list[Metric] = []

    def text(self, accept: str) -> tuple[bytes, str]:
        """The text and its Content-Type: OpenMetrics where that is accepted, else Prometheus'."""
        asked = time.monotonic()
        with self._lock:
            if self._begun < asked:
                self._begun = time.monotonic()
                self._found = list(self._families())
            found = self._found
        wanted = f"{OPEN_METRICS}; version=1.0.0" if OPEN_METRICS in accept else ""
        encode, content_type = choose_encoder(wanted)
        return encode(Found(found)), content_type


class Found:
    """What has been collected, as prometheus-client's encoders take it."""

    def __init__(self, found: Iterable[Metric]) -> None:
        self._found = found

    def collect(self) -> Iterable[Metric]:
        """The metrics."""
        return self._found


def family(one: Series, *found: tuple[Mapping[str, str], float]) -> Metric:
    """A metric that is looked up: its labels and value, for each of its series."""
    metric = Metric(one.name.removesuffix("_total"), one.help, one.kind)
    for labels, value in found:
        metric.add_sample(one.name, dict(labels), value)
    return metric
