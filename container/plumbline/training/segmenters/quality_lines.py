"""What a job prints of an epoch: lines in the form of AWS's built-in segmentation and detection."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from plumbline.training.epoch_lines import Lines

NUMBER = r"([0-9.eE+-]+)"

QUALITY = r"#quality_metric: host=\S+, epoch=\S+,"

METRICS: Mapping[str, str] = MappingProxyType(
    {
        "train:loss": rf"{QUALITY} train loss <loss>=\({NUMBER}\)",
        "train:throughput": (
            rf"#throughput_metric: host=\S+, train throughput={NUMBER} records/second"
        ),
        "validation:mIOU": rf"{QUALITY} validation mIOU <score>=\({NUMBER}\)",
        "validation:pixel_accuracy": rf"{QUALITY} validation pixel_accuracy <score>=\({NUMBER}\)",
        "validation:loss": rf"{QUALITY} validation loss <loss>=\({NUMBER}\)",
    }
)
"""MetricDefinitions of a job: the name of each metric and the expression that finds it in the log.

The names are those of the built-in algorithm, and the loss in validation.
"""


def lines_of(pictures: int, host: str, epochs: int) -> Lines:
    """How lines are made where an epoch sees so many pictures.

    The throughput is of the whole epoch, validation included.
    """

    def lines(epoch: int, metrics: Mapping[str, float], seconds: float) -> Iterator[str]:
        for name, value in metrics.items():
            side, _, metric = name.partition(":")
            kind = "loss" if metric == "loss" else "score"
            yield (
                f"#quality_metric: host={host}, epoch={epoch}, {side} {metric} "
                f"<{kind}>=({value:.6g})"
            )
        speed = pictures / max(seconds, 1e-9)
        yield f"#throughput_metric: host={host}, train throughput={speed:.6g} records/second"
        yield f"#progress_metric: host={host}, completed {100 * (epoch + 1) / epochs:g} %"

    return lines
