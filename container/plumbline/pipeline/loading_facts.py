"""What was found out about a model while it was loaded."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Facts:
    """How it is computed, and how far its answers are from the notebook's."""

    form: str = ""
    """Of several, the one that OpenVINO computes: f32, bf16, int8, int8+bf16."""
    warmup_seconds: float = 0.0
    """What its first run took."""
    goldens: int = 0
    """Golden pictures that were compared."""
    worst_ratio: float = 0.0
    """Their largest difference from what training gave, as a share of what is allowed."""
