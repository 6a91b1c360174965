"""The last value that AWS takes is taken, and the next one refused before AWS is asked."""

from __future__ import annotations

import pytest
from aws_account import REGION, Account, Deploy
from faults import Weather
from rolling import Rolling


def variants(count: int) -> tuple[str, ...]:
    """So many of them."""
    named = (f"--variant=v{number}=s3://models/{number}.tar.gz:1" for number in range(count))
    return tuple(named)


BOUNDS: dict[str, tuple[tuple[object, ...], tuple[object, ...]]] = {
    "kept ready": (
        ("--serverless", 2048, "--concurrency", 5, "--provisioned", 5),
        ("--serverless", 2048, "--concurrency", 5, "--provisioned", 6),
    ),
    "serverless at a time": (
        ("--serverless", 6144, "--concurrency", 200),
        ("--serverless", 6144, "--concurrency", 201),
    ),
    "async at a time": (
        ("--async", "s3://answers/", "--concurrency", 1000),
        ("--async", "s3://answers/", "--concurrency", 1001),
    ),
    "shortest wait": (("--health-timeout", 60), ("--health-timeout", 59)),
    "longest wait": (("--download-timeout", 3600), ("--download-timeout", 3601)),
    "as many as at least": (
        ("--autoscale", "2:2", "--target", 5),
        ("--autoscale", "3:2", "--target", 5),
    ),
    "variants": (variants(10), variants(11)),
}


@pytest.mark.parametrize("case", BOUNDS)
def test_the_last_value_is_taken_and_the_next_refused(up: Deploy, case: str) -> None:
    last, beyond = BOUNDS[case]
    one = case != "variants"
    taken = up(*last, "--region", REGION, "--dry-run", model=one)
    refused = up(*beyond, "--region", REGION, "--dry-run", model=one)

    assert taken.exit_code == 0, taken.stderr
    assert refused.exit_code == 2, refused.stdout


STEPS = {
    "half of the machines": ("--canary", "2", "--canary", "3"),
    "half": ("--canary", "50%", "--canary", "51%"),
    "a tenth": ("--linear", "10%", "--linear", "9%"),
    "a twentieth": ("--rolling", "5%", "--rolling", "4%"),
    "an hour": ("--bake", "60m", "--bake", "61m"),
}


@pytest.mark.parametrize("case", STEPS)
def test_the_largest_step_is_taken_and_the_next_refused(
    account: Account, up: Deploy, deploy: Deploy, case: str
) -> None:
    up("--count", 4)
    last, beyond = STEPS[case][:2], STEPS[case][2:]
    with Weather(stubs=Rolling().stubs).prevailing():
        taken, refused = (
            deploy("update", "cats", "--no-check", "--env", "A=1", "--dry-run", *each)
            for each in (last, beyond)
        )

    assert taken.exit_code == 0, taken.stderr
    assert refused.exit_code == 2, refused.stdout
