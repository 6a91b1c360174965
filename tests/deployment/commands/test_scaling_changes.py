"""A shadow and a scaling that come, go with what they are for, and can be taken away again."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from aws_account import Account, Deploy, inventory
from faults import Died, Fault, Weather, died, lost
from moto.moto_api._internal.models import moto_api_backend
from rolling import Rolling

pytestmark = pytest.mark.usefixtures("weather")

SCALED = ("--autoscale", "1:3", "--target", 600, "--scale-in-cooldown", 60)

QUEUE = ("--async", "s3://answers/there/", "--autoscale", "0:2")


def scaling(account: Account) -> tuple[list[str], list[str]]:
    """The variants that are scaled, and the policies."""
    found = inventory(account)
    variants = [each.rpartition("/")[2] for each in found.get("targets", ())]
    return variants, found.get("policies", [])


# -- away with it ---------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [SCALED, QUEUE])
def test_up_ends_a_scaling_and_says_until_then_that_it_goes_on(
    account: Account, up: Deploy, options: tuple[object, ...]
) -> None:
    up(*options)
    kind = options[: options.index("--autoscale")]

    still = up(*kind)
    dry = up(*kind, "--autoscale", "none", "--dry-run")
    before = scaling(account)
    ended = up(*kind, "--autoscale", "none")
    again = up(*kind, "--autoscale", "none")

    assert "all follows the load" in still.stderr
    assert "--autoscale none ends that" in still.stderr
    assert json.loads(dry.stdout)["calls"][-1]["operation"] == "DeregisterScalableTarget"
    assert before[0] == ["all"]
    assert ended.exit_code == 0, ended.stderr
    assert scaling(account) == ([], [])
    assert "alarms" not in inventory(account)
    assert "nothing was changed" in again.stderr
    assert "follows the load" not in again.stderr


def test_update_ends_it_too_and_so_lets_the_kind_of_machine_change(
    account: Account, up: Deploy, change: Deploy, sagemaker: Rolling
) -> None:
    up(*SCALED)
    kept = change("--instance", "ml.m5.xlarge")

    alone = change("--autoscale", "none")
    up(*SCALED)
    ended = change("--instance", "ml.m5.xlarge", "--autoscale", "none")

    assert kept.exit_code == 2
    assert "add --autoscale none" in kept.stderr
    assert alone.exit_code == 0, alone.stderr
    assert "Nothing had to be changed" not in alone.stderr
    assert ended.exit_code == 0, ended.stderr
    assert scaling(account) == ([], [])
    described = account("sagemaker").describe_endpoint(EndpointName="cats")
    config = account("sagemaker").describe_endpoint_config(
        EndpointConfigName=described["EndpointConfigName"]
    )
    assert config["ProductionVariants"][0]["InstanceType"] == "ml.m5.xlarge"


def test_a_shadow_goes_as_it_came(account: Account, up: Deploy, change: Deploy) -> None:
    up("--shadow", "next=s3://models/b.tar.gz")

    ended = change("--drop", "next")

    assert ended.exit_code == 0, ended.stderr
    client = account("sagemaker")
    name = client.describe_endpoint(EndpointName="cats")["EndpointConfigName"]
    config = client.describe_endpoint_config(EndpointConfigName=name)
    assert not config.get("ShadowProductionVariants")
    assert [each["VariantName"] for each in config["ProductionVariants"]] == ["all"]
    assert "Nothing had to be changed." in change("--drop", "next").stderr
    unknown = change("--drop", "other")
    assert unknown.exit_code == 2
    assert "it has all." in unknown.stderr


# -- with the variants ----------------------------------------------------------------------------


@pytest.mark.parametrize("options", [SCALED, QUEUE])
def test_a_new_variant_is_scaled_as_the_others_are(
    account: Account, up: Deploy, change: Deploy, better: Path, options: tuple[object, ...]
) -> None:
    up(*options)
    dry = change("--variant", f"new={better}:0.5", "--dry-run")

    ended = change("--variant", f"new={better}:0.5")
    again = change("--variant", f"new={better}:0.5")

    assert ended.exit_code == 0, ended.stderr
    assert "PutScalingPolicy" in dry.stdout
    assert "Nothing had to be changed." in again.stderr
    client: Any = account("application-autoscaling")
    found = client.describe_scalable_targets(ServiceNamespace="sagemaker")["ScalableTargets"]
    assert len(found) == 2
    assert len({(each["MinCapacity"], each["MaxCapacity"]) for each in found}) == 1
    listed = client.describe_scaling_policies(ServiceNamespace="sagemaker")["ScalingPolicies"]
    tracked = [
        each["TargetTrackingScalingPolicyConfiguration"]
        for each in listed
        if each["PolicyType"] == "TargetTrackingScaling"
    ]
    assert len(tracked) == 2
    assert tracked[0] == tracked[1]


def test_a_variant_that_did_not_come_is_not_scaled(
    account: Account, up: Deploy, change: Deploy, better: Path, sagemaker: Rolling
) -> None:
    up(*SCALED)
    before = scaling(account)
    sagemaker.fails = True

    ended = change("--variant", f"new={better}:0.5")

    assert ended.exit_code == 6
    assert scaling(account) == before


def test_a_variant_that_goes_takes_its_scaling_with_it(
    account: Account, up: Deploy, change: Deploy, deploy: Deploy, better: Path
) -> None:
    up(*SCALED)
    change("--variant", f"new={better}:0.5")

    back = deploy("rollback", "cats")
    after_back = scaling(account)
    change("--variant", f"new={better}:0.5")
    dropped = change("--drop", "all")

    assert back.exit_code == 0, back.stderr
    assert after_back == (["all"], ["plumbline/cats/all/load"])
    assert dropped.exit_code == 0, dropped.stderr
    assert scaling(account) == (["new"], ["plumbline/cats/new/load"])


CHANGES: dict[str, tuple[tuple[object, ...], list[str]]] = {
    "one more": (("--variant", "new=s3://models/b.tar.gz:0.5"), ["all", "new"]),
    "one less": (("--drop", "a"), ["b"]),
    "no more scaling": (("--instance", "ml.m5.xlarge", "--autoscale", "none"), []),
}


@pytest.mark.parametrize("fault", [died, lost])
@pytest.mark.parametrize("case", CHANGES)
def test_whatever_call_fails_the_same_command_ends_the_change(
    account: Account, up: Deploy, change: Deploy, deploy: Deploy, case: str, fault: Fault
) -> None:
    options, scaled = CHANGES[case]
    pair = [f"{each}=s3://models/{each}.tar.gz" for each in "ab"]
    base = ("--variant", pair[0], "--variant", pair[1]) if case == "one less" else ()
    up(*SCALED, *base, model=not base)
    with Weather(stubs=Rolling().stubs).prevailing() as fair:
        assert change(*options).exit_code == 0
    complete = inventory(account)
    for number, call in enumerate(fair.calls):
        if call.changes:
            moto_api_backend.reset()
            up(*SCALED, *base, model=not base)
            stubs = Rolling().stubs
            with Weather(after={number: fault}, stubs=stubs).prevailing(), suppress(Died):
                change(*options)
            with Weather(stubs=stubs).prevailing():
                ended = change(*options)

            assert ended.exit_code == 0, (ended.stderr, call)
            assert scaling(account)[0] == scaled, call
            assert inventory(account) == complete, call
            assert deploy("down", "cats", "--yes", "--data").exit_code == 0
            assert inventory(account) == {}


# -- what a dry run says of the bill --------------------------------------------------------------


def test_a_dry_run_of_down_says_what_is_billed_afterwards(
    account: Account, up: Deploy, deploy: Deploy
) -> None:
    nothing = deploy("down", "cats", "--dry-run")
    up()
    some = deploy("down", "cats", "--dry-run")
    data = deploy("down", "cats", "--dry-run", "--data")

    assert "There is nothing of cats in eu-central-1 that is billed" in nothing.stderr
    assert "billed as storage, until `python deploy.py down cats --data`" in some.stderr
    assert "Afterwards nothing of cats is billed" in data.stderr
    for ended in (nothing, some, data):
        assert json.loads(ended.stdout)["cost"]
