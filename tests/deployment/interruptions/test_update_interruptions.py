"""Each call of an `update` in turn goes wrong: it goes on, back or away, and nothing is left."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from aws_account import Account, Deploy, inventory, runs
from faults import FAULTS, Died, Weather, worth_breaking
from moto import mock_aws
from rolling import Rolling


@pytest.fixture
def change(deploy: Deploy, better: Path) -> Deploy:
    """`deploy.py update cats` with another archive."""
    return lambda *more: deploy("update", "cats", "--no-check", "--model", better, *more)


def described(account: Account) -> tuple[str, dict[str, list[str]]]:
    """The configuration that runs, and all that is there."""
    return runs(account), inventory(account)


@pytest.fixture
def usual(account: Account, up: Deploy, change: Deploy) -> Any:
    """What is there before and after an `update` in which nothing goes wrong, and its calls."""
    with mock_aws():
        up()
        before = described(account)
        with Weather(stubs=Rolling().stubs).prevailing() as weather:
            assert change().exit_code == 0
        return before, described(account), weather.calls


def each_broken(up: Deploy, change: Deploy, calls: list[Any], kind: str) -> Iterator[Weather]:
    """In an account of its own each: an endpoint whose `update` went wrong at one call."""
    fault, when = FAULTS[kind]
    for number, _ in worth_breaking(calls, fault):
        with mock_aws():
            up()
            sagemaker = Rolling()
            weather = Weather(**{when: {number: fault}}, stubs=sagemaker.stubs)
            with weather.prevailing(), suppress(Died):
                change()
            with Weather(stubs=sagemaker.stubs).prevailing() as fair:
                fair.calls = weather.calls
                yield fair


@pytest.mark.parametrize("kind", FAULTS)
def test_whatever_call_fails_update_goes_on_and_rollback_goes_back(
    account: Account, up: Deploy, change: Deploy, deploy: Deploy, usual: Any, kind: str
) -> None:
    before, after, calls = usual
    for weather in each_broken(up, change, calls, kind):
        ended = change()

        assert ended.exit_code == 0, ended.stderr
        assert described(account) == after, weather.calls[-1]
        back = deploy("rollback", "cats")
        assert back.exit_code == 0, back.stderr
        assert without_objects(described(account)) == without_objects(before)
        assert deploy("down", "cats", "--yes", "--data").exit_code == 0
        assert inventory(account) == {}


@pytest.mark.parametrize("kind", FAULTS)
def test_whatever_call_fails_rollback_alone_ends_where_it_began(
    account: Account, up: Deploy, change: Deploy, deploy: Deploy, usual: Any, kind: str
) -> None:
    before, _, calls = usual
    for weather in each_broken(up, change, calls, kind):
        changed = described(account)[0] != before[0]
        ended = deploy("rollback", "cats")

        assert ended.exit_code == (0 if changed else 4), ended.stderr
        assert without_objects(described(account)) == without_objects(before), weather.calls[-1]


@pytest.mark.parametrize("kind", FAULTS)
def test_whatever_call_fails_down_alone_removes_all(
    account: Account, up: Deploy, change: Deploy, deploy: Deploy, usual: Any, kind: str
) -> None:
    for weather in each_broken(up, change, usual[2], kind):
        ended = deploy("down", "cats", "--yes", "--data")

        assert ended.exit_code == 0, ended.stderr
        assert inventory(account) == {}, weather.calls[-1]


@pytest.mark.parametrize("kind", FAULTS)
def test_whatever_call_of_rollback_fails_the_same_command_ends_it(
    account: Account, up: Deploy, change: Deploy, deploy: Deploy, kind: str
) -> None:
    fault, when = FAULTS[kind]
    up()
    before, sagemaker = described(account), Rolling()
    with Weather(stubs=sagemaker.stubs).prevailing():
        change()
    with Weather(stubs=sagemaker.stubs).prevailing() as fair:
        assert deploy("rollback", "cats").exit_code == 0
    for number, call in worth_breaking(fair.calls, fault):
        with Weather(stubs=sagemaker.stubs).prevailing():
            assert change().exit_code == 0
        weather = Weather(**{when: {number: fault}}, stubs=sagemaker.stubs)
        with weather.prevailing(), suppress(Died):
            deploy("rollback", "cats")
        with Weather(stubs=sagemaker.stubs).prevailing():
            ended = deploy("rollback", "cats")

        assert ended.exit_code in (0, 4), ended.stderr
        assert without_objects(described(account)) == without_objects(before), call


def without_objects(found: tuple[str, dict[str, list[str]]]) -> Any:
    """All but archives, which stay until `down --data`."""
    config, there = found
    return config, {kind: names for kind, names in there.items() if kind != "objects"}
