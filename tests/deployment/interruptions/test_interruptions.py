"""Each call to AWS in turn goes wrong: nothing is orphaned, `up` goes on, `down` removes all."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from aws_account import ACCOUNT, REGION, Account, Deploy, inventory
from faults import Died, Fault, Seen, Weather, each_fault, worth_breaking
from moto import mock_aws

TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT}:alarms"

KINDS: dict[str, tuple[object, ...]] = {
    "async": ("--async", "s3://answers/there/", "--autoscale", "0:2"),
    "real-time": ("--autoscale", "1:3", "--target", 600, "--alarms", TOPIC),
    "serverless": ("--serverless", 2048, "--log-days", 30, "--tag", "team=vision"),
}
"""Endpoints of each kind, the first with most parts: bounds, two policies and an alarm.

Standing alarms, and the dashboard that goes with them, are the real-time one's.
"""

most_and_fewest_parts = pytest.mark.parametrize("usual", ["async", "serverless"], indirect=True)
"""What `down` goes by is the parts that it finds."""


@dataclass
class Usual:
    """The calls of an `up` in which nothing goes wrong, and what is there afterwards."""

    options: tuple[object, ...]
    calls: list[Seen]
    complete: dict[str, list[str]]


@pytest.fixture(params=KINDS)
def usual(request: pytest.FixtureRequest, account: Account, up: Deploy) -> Usual:
    """Of each kind of endpoint."""
    options = KINDS[request.param]
    with Weather().prevailing() as weather:
        ended = up(*options)
    assert ended.exit_code == 0, ended.stderr
    return Usual(options, weather.calls, inventory(account))


def each_call(calls: list[Seen], fault: Fault, when: str) -> list[Weather]:
    """A weather for each call that is to go wrong."""
    return [Weather(**{when: {number: fault}}) for number, _ in worth_breaking(calls, fault)]


@each_fault
def test_whatever_call_fails_up_goes_on_and_down_removes_all(
    account: Account, up: Deploy, deploy: Deploy, usual: Usual, fault: Fault, when: str
) -> None:
    for weather in each_call(usual.calls, fault, when):
        with mock_aws():
            with weather.prevailing(), suppress(Died):
                up(*usual.options)
            broken = set(inventory(account))
            again = up(*usual.options)

            assert again.exit_code == 0, again.stderr
            assert inventory(account) == usual.complete, (weather, broken)
            assert deploy("down", "cats", "--yes", "--data").exit_code == 0
            assert inventory(account) == {}


@most_and_fewest_parts
@each_fault
def test_whatever_call_of_down_fails_the_next_down_removes_all(
    account: Account, up: Deploy, deploy: Deploy, usual: Usual, fault: Fault, when: str
) -> None:
    removal = ("down", "cats", "--yes", "--data")
    with Weather().prevailing() as fair:
        assert deploy(*removal).exit_code == 0
    for weather in each_call(fair.calls, fault, when):
        up(*usual.options)
        with weather.prevailing(), suppress(Died):
            ended = deploy(*removal)
            assert ended.exit_code != 0 or inventory(account) == {}, weather.calls[-1]

        again = deploy(*removal)
        assert again.exit_code == 0, again.stderr
        assert inventory(account) == {}, weather.calls[-1]


@most_and_fewest_parts
@each_fault
def test_whatever_call_fails_down_alone_removes_all(
    account: Account, up: Deploy, deploy: Deploy, usual: Usual, fault: Fault, when: str
) -> None:
    for weather in each_call(usual.calls, fault, when):
        with mock_aws():
            with weather.prevailing(), suppress(Died):
                up(*usual.options)
            ended = deploy("down", "cats", "--yes", "--data")

            assert ended.exit_code == 0, ended.stderr
            assert inventory(account) == {}, weather


@each_fault
def test_whatever_call_of_weights_fails_the_same_command_ends_it(
    account: Account, up: Deploy, deploy: Deploy, archive: Path, fault: Fault, when: str
) -> None:
    up("--variant", f"a={archive}:1", "--variant", f"b={archive}:1", model=False)
    before = inventory(account)
    with Weather().prevailing() as fair:
        assert deploy("weights", "cats", "a=1", "b=2").exit_code == 0
    for number, weather in enumerate(each_call(fair.calls, fault, when), 3):
        shares = ("weights", "cats", "a=1", f"b={number}")
        with weather.prevailing(), suppress(Died):
            deploy(*shares)
        ended = deploy(*shares)

        assert ended.exit_code == 0, (ended.stderr, weather.calls[-1])
        described = account("sagemaker").describe_endpoint(EndpointName="cats")
        assert [each["DesiredWeight"] for each in described["ProductionVariants"]] == [1, number]
        assert inventory(account) == before
