"""`rollback` and `weights`, and what SageMaker takes back by itself."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from aws_account import REGION, Account, Deploy, inventory, runs
from faults import Weather
from rolling import Rolling

pytestmark = pytest.mark.usefixtures("weather")


def test_rollback_takes_what_ran_before_and_removes_what_it_left(
    account: Account, up: Deploy, change: Deploy, deploy: Deploy, better: Path
) -> None:
    up()
    before, first = runs(account), inventory(account)
    change("--model", better)

    ended = deploy("rollback", "cats")

    assert ended.exit_code == 0, ended.stderr
    assert runs(account) == before
    assert {**inventory(account), "objects": None} == {**first, "objects": None}
    again = deploy("rollback", "cats")
    assert again.exit_code == 4
    assert "There is nothing to roll back to" in again.stderr


def test_sagemaker_going_back_is_told_with_its_reason(
    account: Account, up: Deploy, change: Deploy, better: Path, sagemaker: Rolling
) -> None:
    up()
    before, first = runs(account), inventory(account)
    sagemaker.looks, sagemaker.fails = 4, True

    ended = change("--model", better)

    assert ended.exit_code == 6
    assert f"SageMaker rolled back to {before}" in ended.stderr
    assert "An alarm went off." in ended.stderr
    assert "all: Baking (Baking for 300 seconds)" in ended.stderr
    assert {**inventory(account), "objects": None} == {**first, "objects": None}


class Late(Rolling):
    """For some looks, what changes is described as if nothing did."""

    unseen = 3

    def describe(self, asked: Mapping[str, Any]) -> Any:
        if self.coming and self.unseen:
            self.unseen -= 1
            return None
        return super().describe(asked)


def test_a_change_that_is_seen_late_is_not_taken_for_one_that_went_back(
    account: Account, up: Deploy, change: Deploy, better: Path
) -> None:
    up()
    before = runs(account)
    sagemaker = Late(looks=3)
    with Weather(stubs=sagemaker.stubs).prevailing():
        ended = change("--model", better)

    assert sagemaker.unseen == 0
    assert ended.exit_code == 0, ended.stderr
    assert runs(account) != before


def test_a_roll_out_is_broken_off_by_its_alarm(
    account: Account, up: Deploy, change: Deploy, deploy: Deploy, better: Path, sagemaker: Rolling
) -> None:
    up()
    before, first = runs(account), inventory(account)
    sagemaker.looks = 100

    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    with Weather(stubs=sagemaker.stubs, after={"UpdateEndpoint": interrupt}).prevailing():
        broken = change("--model", better)
    sagemaker.left = 4
    ended = deploy("rollback", "cats")

    assert broken.exit_code == 130
    assert f"`python deploy.py rollback cats --region {REGION}` rolls back" in broken.stderr
    assert ended.exit_code == 0, ended.stderr
    assert runs(account) == before
    assert {**inventory(account), "objects": None} == {**first, "objects": None}


def test_status_shows_a_roll_out_and_its_alarms(
    account: Account, up: Deploy, change: Deploy, deploy: Deploy, better: Path, sagemaker: Rolling
) -> None:
    up()
    sagemaker.looks = 100

    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    with Weather(stubs=sagemaker.stubs, after={"UpdateEndpoint": interrupt}).prevailing():
        change("--model", better)
    ended = deploy("status", "cats")

    assert ended.exit_code == 0, ended.stderr
    assert f"is being rolled out: {sagemaker.coming}" in ended.stdout
    assert "all: Baking" in ended.stdout
    assert "alarm plumbline/cats/update/errors: " in ended.stdout


# -- weights --------------------------------------------------------------------------------------


def test_weights_shift_the_traffic(
    account: Account, up: Deploy, deploy: Deploy, archive: Path, weather: Weather
) -> None:
    up("--variant", f"a={archive}:1", "--variant", f"b={archive}:1", model=False)

    ended = deploy("weights", "cats", "a=0.9", "b=0.1")

    assert ended.exit_code == 0, ended.stderr
    assert ended.stdout == "a: 0.9, 90% of the requests\nb: 0.1, 10% of the requests\n"
    weather.calls.clear()
    assert deploy("weights", "cats", "a=0.9", "b=0.1").exit_code == 0
    assert not [each for each in weather.calls if each.changes]


@pytest.mark.parametrize(
    ("shares", "phrase"),
    [
        (("c=1",), "no variant c"),
        (("a=0", "b=0"), "none would answer"),
        (("a",), "such as new=10"),
        (("a=²",), "such as new=10"),
        (("a=1", "a=2"), "named twice"),
    ],
)
def test_shares_that_can_not_be(
    account: Account, up: Deploy, deploy: Deploy, archive: Path, shares: Any, phrase: str
) -> None:
    up("--variant", f"a={archive}:1", "--variant", f"b={archive}:1", model=False)

    ended = deploy("weights", "cats", *shares)

    assert ended.exit_code == 2
    assert phrase in ended.stderr


def test_a_single_variant_gets_everything(account: Account, up: Deploy, deploy: Deploy) -> None:
    up()

    ended = deploy("weights", "cats", "all=5")

    assert ended.exit_code == 2
    assert "update --variant" in ended.stderr
