"""What is told of the models of a multi-model endpoint together."""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace
from typing import Any

from plumbline.pipeline.admission import Admission, Deadline
from plumbline.telemetry.busiest import Busiest
from plumbline.web.metrics_api import ManyArchives


def model(name: str, **facts: Any) -> SimpleNamespace:
    """One that is loaded, and what its process says of it; without facts it loads again."""
    running = SimpleNamespace(facts=facts) if facts else None
    return SimpleNamespace(name=name, requests=3, running=running)


def told(*models: SimpleNamespace) -> ManyArchives:
    """Those models, and how they are told of."""
    hosts = SimpleNamespace(loaded=lambda: list(models), ends=Counter(crashed=2))
    return ManyArchives(hosts, Admission(2, 3), Busiest(1))  # type: ignore[arg-type]


def test_the_worst_golden_picture_of_all_models_counts() -> None:
    served = told(
        model("a", goldens=3, worstRatio=0.25), model("b", goldens=2, worstRatio=0.5), model("c")
    )

    gauges = served.gauges()

    assert (gauges["golden_pictures"], gauges["golden_worst_ratio"]) == (5, 0.5)


def test_no_model_and_requests_inside_are_told() -> None:
    served = told()
    with served.admission.place(Deadline(10)):
        gauges = served.gauges()

    assert (gauges["golden_pictures"], gauges["golden_worst_ratio"]) == (0, 0)
    assert (gauges["requests_inside"], gauges["places"], gauges["slots_free"]) == (1, 5, 2)


def test_processes_of_models_that_ended_are_counted_by_their_reasons() -> None:
    found = {
        (sample.name, *sample.labels.values()): sample.value
        for family in told(model("a", goldens=0)).families()
        for sample in family.samples
    }

    assert found["plumbline_worker_ends_total", "crashed"] == 2
    assert found["plumbline_worker_ends_total", "killed"] == 0
    assert found["plumbline_models_loaded",] == 1
    assert found["plumbline_model_requests_total", "other"] == 3
