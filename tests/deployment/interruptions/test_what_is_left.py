"""A command that breaks off inside a call says that what it asked for is perhaps there."""

from __future__ import annotations

import signal
from typing import Any

import pytest
from aws_account import REGION, Account, Deploy, inventory
from batching import IN, OUT, Batch
from faults import Fault, Weather, lost, refused


def ctrl_c() -> None:
    """As the terminal does it."""
    signal.raise_signal(signal.SIGINT)


def terminated() -> None:
    """As whoever ends processes does it."""
    signal.raise_signal(signal.SIGTERM)


def crashed() -> None:
    """Something that nobody has thought of."""
    raise RuntimeError("boom")


ENDS: dict[str, tuple[Fault, int]] = {
    "ctrl-c": (ctrl_c, 130),
    "terminated": (terminated, 143),
    "crashed": (crashed, 1),
}

MADE = {
    "PutObject": "archive s3://",
    "CreateModel": "model cats-",
    "CreateEndpointConfig": "configuration cats-",
    "CreateEndpoint": "endpoint cats",
}
"""What a call makes, as it is listed."""


@pytest.mark.parametrize("case", ENDS)
@pytest.mark.parametrize("operation", MADE)
def test_what_was_asked_for_is_perhaps_there(
    account: Account, up: Deploy, deploy: Deploy, operation: str, case: str
) -> None:
    fault, status = ENDS[case]
    with Weather(after={operation: fault}).prevailing():
        ended = up()

    assert ended.exit_code == status, ended.stderr
    assert f"\n  perhaps {MADE[operation]}" in ended.stderr
    assert f"\n  {MADE[operation]}" not in ended.stderr
    assert f"python deploy.py down cats --region {REGION} --data" in ended.stderr
    assert deploy("down", "cats", "--yes", "--data").exit_code == 0
    assert inventory(account) == {}


def test_an_answer_that_was_lost_leaves_it_open(account: Account, up: Deploy) -> None:
    with Weather(before={"CreateEndpoint": lost}).prevailing():
        ended = up()

    assert ended.exit_code == 5
    assert "\n  perhaps endpoint cats:" in ended.stderr


def test_what_was_refused_is_not_there(account: Account, up: Deploy) -> None:
    no = refused("ResourceLimitExceeded", "The limit is 0 Instances.")
    with Weather(before={"CreateEndpoint": no}).prevailing():
        ended = up()

    assert ended.exit_code == 4
    assert "\n  configuration cats-" in ended.stderr
    assert "  endpoint cats" not in ended.stderr
    assert "perhaps" not in ended.stderr


def test_what_was_answered_is_there(account: Account, up: Deploy) -> None:
    weather = Weather(before={"DescribeEndpoint": lambda: ctrl_c() if made(weather) else None})
    with weather.prevailing():
        ended = up()

    assert ended.exit_code == 130
    assert "\n  endpoint cats\n" in ended.stderr
    assert "perhaps" not in ended.stderr


def made(weather: Weather) -> bool:
    """Whether the endpoint was asked for."""
    return any(call.operation == "CreateEndpoint" for call in weather.calls)


def test_a_job_that_was_asked_for_can_be_stopped(
    up: Deploy, transform: Deploy, pictures: Any
) -> None:
    up()
    sagemaker = Batch(pictures, looks=4)
    with sagemaker.weather(CreateTransformJob=terminated).prevailing():
        ended = transform()

    assert ended.exit_code == 143
    assert "may be at work" in ended.stderr
    assert f"python deploy.py transform cats {IN} {OUT} --stop --region {REGION}\n" in ended.stderr
