"""What a server says at /metrics, read by prometheus-client's own parser."""

from __future__ import annotations

from collections.abc import Callable

from gunicorn_server import Server
from prometheus_client.parser import text_string_to_metric_families

Serve = Callable[..., Server]

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def samples_of(text: str) -> Samples:
    """Every series by its name and labels. A series that comes twice fails."""
    found: Samples = {}
    for family in text_string_to_metric_families(text):
        for one in family.samples:
            key = (one.name, frozenset(one.labels.items()))
            assert key not in found, key
            found[key] = one.value
    return found


def scrape(server: Server) -> Samples:
    """What it says now."""
    answer = server.ask("GET", "/metrics")
    assert answer.status == 200, answer.body
    assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    return samples_of(answer.body.decode())


def total(found: Samples, name: str, **labels: str) -> float:
    """The sum of all series of that name that have these labels; -1 where there is none."""
    values = [
        value
        for (one, held), value in found.items()
        if one == name and labels.items() <= dict(held).items()
    ]
    return sum(values) if values else -1
