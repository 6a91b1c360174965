"""Each call to AWS in turn goes wrong: nothing is orphaned, `up` goes on, `down` removes all."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from aws_account import Account, Deploy, inventory
from faults import Died, Fault, Weather, died, lost, refused
from moto import mock_aws

pytestmark = pytest.mark.usefixtures("clients_made_once")

OPTIONS = ("--async", "s3://answers/there/", "--autoscale", "0:2")
"""The endpoint with most parts: bounds, two policies and an alarm beside the rest."""


@pytest.fixture
def usual(account: Account, up: Deploy) -> tuple[Weather, dict[str, list[str]]]:
    """The calls of an `up` in which nothing goes wrong, and what is there afterwards."""
    with Weather().prevailing() as weather:
        ended = up(*OPTIONS)
    assert ended.exit_code == 0, ended.stderr
    return weather, inventory(account)


def each_call(usual: Weather, fault: Fault, when: str) -> list[Weather]:
    """A weather for each call; of those that only look, refusals are enough."""
    return [
        Weather(**{when: {number: fault}})
        for number, call in enumerate(usual.calls)
        if call.changes or fault is REFUSED
    ]


REFUSED = refused("ValidationException", "Something is not as it should be.")

WEATHERS = pytest.mark.parametrize(
    ("fault", "when"),
    [(REFUSED, "before"), (died, "before"), (lost, "after"), (died, "after")],
    ids=["refused", "killed before", "answer lost", "killed after"],
)


@WEATHERS
def test_whatever_call_fails_up_goes_on_and_down_removes_all(
    account: Account, up: Deploy, deploy: Deploy, usual: Any, fault: Fault, when: str
) -> None:
    calls, complete = usual
    for weather in each_call(calls, fault, when):
        with mock_aws():
            with weather.prevailing(), suppress(Died):
                up(*OPTIONS)
            broken = set(inventory(account))
            again = up(*OPTIONS)

            assert again.exit_code == 0, again.stderr
            assert inventory(account) == complete, (weather, broken)
            assert deploy("down", "cats", "--yes", "--data").exit_code == 0
            assert inventory(account) == {}


def test_whatever_call_of_down_fails_the_next_down_removes_all(
    account: Account, up: Deploy, deploy: Deploy
) -> None:
    removal = ("down", "cats", "--yes", "--data")
    up(*OPTIONS)
    with Weather().prevailing() as usual:
        deploy(*removal)
    for number, call in enumerate(usual.calls):
        up(*OPTIONS)
        with Weather(before={number: REFUSED}).prevailing():
            ended = deploy(*removal)

        assert ended.exit_code != 0 or inventory(account) == {}, call
        assert deploy(*removal).exit_code == 0
        assert inventory(account) == {}, call


@WEATHERS
def test_whatever_call_fails_down_alone_removes_all(
    account: Account, up: Deploy, deploy: Deploy, usual: Any, fault: Fault, when: str
) -> None:
    for weather in each_call(usual[0], fault, when):
        with mock_aws():
            with weather.prevailing(), suppress(Died):
                up(*OPTIONS)
            ended = deploy("down", "cats", "--yes", "--data")

            assert ended.exit_code == 0, ended.stderr
            assert inventory(account) == {}, weather
