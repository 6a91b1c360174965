"""`update`: what AWS would refuse after minutes is refused at once, in words."""

from __future__ import annotations

from pathlib import Path

import pytest
from aws_account import IMAGE, Account, Deploy
from faults import Weather
from rolling import Rolling

pytestmark = pytest.mark.usefixtures("weather")

OTHER = IMAGE.replace("0" * 64, "1" * 64)


REFUSED = {
    "nothing": ((), "Say what is to change"),
    "two ways": (("--canary", "10%", "--linear", "10%"), "one way of rolling out at a time"),
    "one machine": (("--canary", "10%"), "--count 2"),
    "too much": (("--canary", "60%", "--count", 4), "1% to 50%"),
    "too little": (("--linear", "5%", "--count", 4), "10% to 50%"),
    "rolling": (("--rolling", "60%", "--count", 4), "5% to 50%"),
    "machines": (("--canary", "3", "--count", 4), "half of the 4 instances"),
    "no size": (("--canary", "some", "--count", 4), "such as 10%"),
    "too long": (("--linear", "10%", "--bake", "1h", "--count", 4), "eight hours"),
    "no time": (
        (
            "--bake",
            "2h",
        ),
        "one hour at most",
    ),
    "no file": (("--model", "nowhere.tar.gz"), "plumbline pack"),
    "other region": (("--image", OTHER.replace("eu-central-1", "us-east-1")), "us-east-1"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_aws_would_refuse_is_refused_at_once(
    account: Account, up: Deploy, deploy: Deploy, weather: Weather, case: str
) -> None:
    up()
    weather.calls.clear()
    options, phrase = REFUSED[case]
    image = () if case in ("nothing", "no file", "other region") else ("--image", OTHER)

    ended = deploy("update", "cats", "--no-check", *image, *options)

    assert ended.exit_code == 2, ended.stderr
    assert phrase in ended.stderr
    assert not [each for each in weather.calls if each.changes]


def test_a_variant_is_named_once_and_keeps_its_weight(
    account: Account, up: Deploy, change: Deploy, archive: Path, better: Path
) -> None:
    up()
    cases = {
        ("--variant", f"all={archive}", "--variant", f"all={better}"): "Two archives are named",
        ("--model", archive, "--variant", f"all={better}"): "Two archives are named",
        ("--variant", f"all={better}:3"): "has the weight 1, and `weights` changes it",
    }
    for options, phrase in cases.items():
        ended = change(*options)

        assert ended.exit_code == 2, ended.stderr
        assert phrase in ended.stderr


def test_steps_that_a_serverless_endpoint_has_not(
    account: Account, up: Deploy, change: Deploy
) -> None:
    up("--serverless", 2048)
    for option in ("--max-latency", "--max-errors"):
        ended = change("--image", OTHER, option, 5)

        assert ended.exit_code == 2
        assert "leave them out" in ended.stderr


def test_rolling_is_for_a_single_variant(
    account: Account, up: Deploy, change: Deploy, archive: Path
) -> None:
    up("--variant", f"a={archive}", "--variant", f"b={archive}", "--count", 4, model=False)

    ended = change("--image", OTHER, "--rolling", "25%")

    assert ended.exit_code == 2
    assert "take --canary or --linear" in ended.stderr


def test_the_kind_of_machine_stays_where_scaling_depends_on_it(
    account: Account, up: Deploy, change: Deploy
) -> None:
    up("--autoscale", "1:3", "--target", 600)

    ended = change("--instance", "ml.m5.xlarge")

    assert ended.exit_code == 2
    assert "follows the load" in ended.stderr


def test_an_endpoint_that_failed_can_only_be_made_anew(
    account: Account, up: Deploy, deploy: Deploy, sagemaker: Rolling
) -> None:
    up()
    sagemaker.backend.endpoints["cats"].endpoint_status = "Failed"

    ended = deploy("update", "cats", "--no-check", "--image", OTHER)

    assert ended.exit_code == 4
    assert "`python deploy.py up cats` creates it again" in ended.stderr
    assert sagemaker.asked == []


def test_of_several_variants_one_must_be_named(
    account: Account, up: Deploy, deploy: Deploy, archive: Path
) -> None:
    up("--variant", f"a={archive}", "--variant", f"b={archive}", model=False)

    ended = deploy("update", "cats", "--no-check", "--model", archive)

    assert ended.exit_code == 2
    assert "--variant a=MODEL" in ended.stderr


def test_of_no_endpoint_it_says_where_to_look(account: Account, deploy: Deploy) -> None:
    for command in (("update", "--image", OTHER), ("rollback",), ("weights", "a=1")):
        verb, *more = command
        ended = deploy(verb, "cats", *more)

        assert ended.exit_code == 4
        assert "There is no endpoint cats in eu-central-1." in ended.stderr
