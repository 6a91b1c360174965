"""What a job prints of an epoch: the line that the metric definitions of both algorithms find."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType

NUMBER = r"([0-9.eE+-]+)"

METRICS: Mapping[str, str] = MappingProxyType(
    {
        "train:accuracy": rf"Train-accuracy={NUMBER}",
        "train:loss": rf"Train-loss={NUMBER}",
        "validation:accuracy": rf"Validation-accuracy={NUMBER}",
        "validation:loss": rf"Validation-loss={NUMBER}",
        "val_accuracy": rf"val_accuracy={NUMBER}",
    }
)
"""MetricDefinitions of a job: the name of each metric and the expression that finds it in the log.

Those of the MXNet algorithm, and the one of its TensorFlow successor.
"""


def lines(epoch: int, metrics: Mapping[str, float], seconds: float) -> Iterator[str]:
    """How an epoch went, which took so long."""
    said = [f"Epoch[{epoch}]"]
    for name, value in metrics.items():
        side, _, metric = name.partition(":")
        said.append(f"{side.capitalize()}-{metric}={value:.6g}")
    if "validation:accuracy" in metrics:
        said.append(f"val_accuracy={metrics['validation:accuracy']:.6g}")
    said.append(f"Time cost={seconds:.3f}")
    yield " ".join(said)
