"""Which of a model's forms this machine's CPU can compute."""

from __future__ import annotations

from functools import cache


@cache
def has_bf16() -> bool:
    """What OpenVINO says of the CPU."""
    import openvino

    return "BF16" in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def made_here(*names: str) -> list[str]:
    """Of these forms those that packing makes here."""
    return [name for name in names if has_bf16() or "bf16" not in name]
