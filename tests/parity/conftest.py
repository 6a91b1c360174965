"""Property-based tests: the same examples in every run, and no more than the libraries' time."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

settings.register_profile(
    "parity",
    deadline=None,
    derandomize=True,
    database=None,
    max_examples=40,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("parity")
