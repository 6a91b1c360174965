"""Property-based tests: the same examples in every run, however slow the machine.

A property gets 30 examples, and three times as many where the domain is `nasty`. Before a release,
or where one is in doubt, `HYPOTHESIS_PROFILE=thorough` makes ten times as many of both, other ones
in every run.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

settings.register_profile(
    "plumbline",
    deadline=None,
    derandomize=True,
    database=None,
    max_examples=30,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile(
    "thorough", settings.get_profile("plumbline"), derandomize=False, max_examples=300
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "plumbline"))
