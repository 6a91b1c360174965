"""What a job prints of an epoch: the lines that the metric definitions of both algorithms find."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType

MAP, MAP_50_95 = "validation:mAP", "validation:mAP_50_95"
LOCALIZATION = "validation:smooth_l1"

QUALITY = r"#quality_metric: host=\S+, epoch=\S+, "

METRICS: Mapping[str, str] = MappingProxyType(
    {
        "train:smooth_l1": QUALITY + r"batch=\S+ train smooth_l1 <loss>=(\S+)",
        "train:cross_entropy": QUALITY + r"batch=\S+ train cross_entropy <loss>=(\S+)",
        "train:throughput": r"#throughput_metric: host=\S+, train throughput=(\S+) records/second",
        "train:progress": r"#progress_metric: host=\S+, completed (\S+) %",
        MAP: QUALITY + r"validation mAP <score>=\((\S+)\)",
        MAP_50_95: QUALITY + r"validation mAP_50_95 <score>=\((\S+)\)",
        "Val_localization": r"Val_localization=([0-9\.]+)",
    }
)
"""MetricDefinitions of a job: the name of each metric and the expression that finds it in the log.

Those of the MXNet algorithm, one for the mAP at all overlaps, and that of the TensorFlow algorithm.
"""


class DetectionLines:
    """The lines of a job on a host, of so many epochs, steps and pictures each."""

    def __init__(self, host: str, epochs: int, steps: int, pictures: int) -> None:
        self.host, self.epochs, self.steps, self.pictures = host, epochs, steps, pictures

    def lines(self, epoch: int, metrics: Mapping[str, float], seconds: float) -> Iterator[str]:
        """How an epoch went, which took so long."""
        quality = f"#quality_metric: host={self.host}, epoch={epoch}, "
        batch = f"batch={self.steps} train"
        for name in ("smooth_l1", "cross_entropy"):
            yield f"{quality}{batch} {name} <loss>={metrics[f'train:{name}']:.6g}"
        for metric in (MAP, MAP_50_95):
            name = metric.partition(":")[2]
            yield f"{quality}validation {name} <score>=({metrics[metric]:.6g})"
        yield f"Epoch[{epoch}] Val_localization={metrics[LOCALIZATION]:.6f}"
        speed = self.pictures / max(seconds, 1e-9)
        yield (f"#throughput_metric: host={self.host}, train throughput={speed:.6g} records/second")
        done = round(100 * (epoch + 1) / self.epochs)
        yield f"#progress_metric: host={self.host}, completed {done} %"
