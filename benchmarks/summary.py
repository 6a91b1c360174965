"""Runs → figures: medians over rounds, ratios, and what of the targets was reached. Pure."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

CROWD = 16
"""The number of connections that contenders are compared at."""

Run = Mapping[str, Any]

LOAD_FIGURES = ("rate", "p50", "p90", "p99", "cpu", "client", "errors")


@dataclass(frozen=True)
class Results:
    """A finished benchmark: the runs, and of each contender its title and whether it is a peer."""

    runs: Sequence[Run]
    peers: Mapping[str, bool]

    def of(self, contender: str, model: str) -> list[Run]:
        """The runs that gave figures."""
        return [
            run
            for run in self.runs
            if run.get("contender") == contender and run["model"] == model and "loads" in run
        ]

    def figure(self, name: str, contender: str, model: str) -> float | None:
        """The median of a figure of whole runs, such as `memory`."""
        return median(run[name] for run in self.of(contender, model))

    def load(
        self, name: str, contender: str, model: str, connections: int, picture: str | None = None
    ) -> float | None:
        """The median of a figure of a load; by itself with the picture that the model is for."""
        return median(
            load[name]
            for run in self.of(contender, model)
            for load in run["loads"]
            if load["connections"] == connections
            and load["picture"] == (picture or run["loads"][0]["picture"])
        )

    def reason(self, contender: str, model: str) -> str | None:
        """Why a contender has no figures for a model; None where it has some."""
        if self.of(contender, model):
            return None
        said = (
            run["reason"]
            for run in self.runs
            if run.get("contender") == contender and run["model"] == model and "reason" in run
        )
        return next(said, "it was not measured")

    def limit(self, name: str, model: str) -> dict[int, float]:
        """The medians of a bare loop's rates, by threads."""
        found = [
            run["rates"]
            for run in self.runs
            if run.get("limit") == name and run["model"] == model and "rates" in run
        ]
        threads = {int(count) for rates in found for count in rates}
        return {count: statistics.median(rates[str(count)] for rates in found) for count in threads}

    def limit_reason(self, name: str) -> str | None:
        """Why a bare loop has no rates."""
        said = (run["reason"] for run in self.runs if run.get("limit") == name and "reason" in run)
        return next(said, None)

    @property
    def models(self) -> list[str]:
        """Those that were measured, in order."""
        return list(dict.fromkeys(run["model"] for run in self.runs))

    def best_peer(self, figure: Callable[[str], float | None]) -> float | None:
        """The largest of a figure among the peers that have it."""
        found = [figure(name) for name, is_peer in self.peers.items() if is_peer]
        return max((value for value in found if value is not None), default=None)


def median(values: Iterable[float]) -> float | None:
    """The median; None of nothing."""
    listed = list(values)
    return statistics.median(listed) if listed else None


def geometric_mean(values: Iterable[float]) -> float | None:
    """The geometric mean of positive numbers; None of nothing."""
    listed = list(values)
    return math.exp(statistics.fmean(map(math.log, listed))) if listed else None


def ratio(first: float | None, second: float | None) -> float | None:
    """A quotient, where there are both."""
    return first / second if first is not None and second else None


def throughput(results: Results, contender: str) -> float | None:
    """How many times the best peer's rate, over all models; None where one is missing."""
    ratios = [against_peers(results, contender, model) for model in results.models]
    found = [value for value in ratios if value is not None]
    return geometric_mean(found) if len(found) == len(ratios) else None


def against_peers(results: Results, contender: str, model: str) -> float | None:
    """A contender's rate by that of the best peer, with a crowd."""
    best = results.best_peer(lambda name: results.load("rate", name, model, CROWD))
    return ratio(results.load("rate", contender, model, CROWD), best)


def lone_latency(results: Results, contender: str) -> float | None:
    """The median latency of a lone caller, by that of the quickest peer."""
    model = "mobilenet-v2"

    def quickness(name: str) -> float | None:
        return ratio(1.0, results.load("p50", name, model, 1))

    return ratio(results.best_peer(quickness), quickness(contender))


def of_limit(results: Results, contender: str, limit: str) -> float | None:
    """The share of a bare loop's best rate that a server reaches, over all models."""
    shares = [
        ratio(
            results.load("rate", contender, model, CROWD),
            max(results.limit(limit, model).values(), default=None),
        )
        for model in results.models
    ]
    return geometric_mean(value for value in shares if value is not None)


def memory(results: Results, contender: str) -> float | None:
    """The memory by that of the leanest peer, over all models."""
    shares = []
    for model in results.models:
        leanness = {
            name: ratio(1.0, results.figure("memory", name, model)) for name in results.peers
        }
        shares.append(ratio(results.best_peer(leanness.get), leanness.get(contender)))
    return geometric_mean(value for value in shares if value is not None)


def overload(results: Results, contender: str) -> float | None:
    """The rate at 64 connections by the best rate there is, over all models."""
    shares = []
    for model in results.models:
        rates = [results.load("rate", contender, model, count) for count in (1, 4, CROWD, 64)]
        best = max((rate for rate in rates if rate is not None), default=None)
        shares.append(ratio(rates[-1], best))
    return geometric_mean(value for value in shares if value is not None)


@dataclass(frozen=True)
class Target:
    """What is to be reached; `at_least` says on which side of `bound`."""

    text: str
    bound: float
    at_least: bool
    measure: Callable[[Results], float | None]

    def verdict(self, results: Results) -> tuple[float | None, str]:
        """What was measured, and whether that is enough."""
        value = self.measure(results)
        if value is None:
            return None, "not measured"
        reached = value >= self.bound if self.at_least else value <= self.bound
        return value, "reached" if reached else "missed"


OURS = "plumbline"
WITHIN_995 = "plumbline-99.5"
WITHIN_98 = "plumbline-98"

TARGETS = (
    Target(
        "requests/s at 16 connections against the best peer, geometric mean over the models",
        1.8,
        True,
        lambda results: throughput(results, OURS),
    ),
    Target(
        "the same with 99.5 % of the original's answers",
        3.0,
        True,
        lambda results: throughput(results, WITHIN_995),
    ),
    Target(
        "the same with 98 % of the original's answers",
        4.0,
        True,
        lambda results: throughput(results, WITHIN_98),
    ),
    Target(
        "p50 of a single request, MobileNetV2, against the quickest peer",
        0.5,
        False,
        lambda results: lone_latency(results, OURS),
    ),
    Target(
        "share of the bare OpenVINO loop at 16 connections",
        0.9,
        True,
        lambda results: of_limit(results, OURS, "openvino"),
    ),
    Target(
        "memory against the leanest peer",
        0.35,
        False,
        lambda results: memory(results, OURS),
    ),
    Target(
        "requests/s at 64 connections against its own peak",
        0.95,
        True,
        lambda results: overload(results, OURS),
    ),
)
