"""`update`: what changes, what stays, and what can't be."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from aws_account import IMAGE, REGION, Account, Deploy, inventory
from faults import Weather
from rolling import Rolling

pytestmark = pytest.mark.usefixtures("weather")

OTHER = IMAGE.replace("0" * 64, "1" * 64)


def runs(account: Account) -> tuple[str, dict[str, Any]]:
    """The configuration, and the model of its first variant."""
    client = account("sagemaker")
    config = client.describe_endpoint(EndpointName="cats")["EndpointConfigName"]
    variants = client.describe_endpoint_config(EndpointConfigName=config)["ProductionVariants"]
    return config, client.describe_model(ModelName=variants[0]["ModelName"])


def test_another_archive_is_served_and_all_else_stays(
    account: Account, up: Deploy, change: Deploy, better: Path, sagemaker: Rolling
) -> None:
    up("--env", "PLUMBLINE_SLOTS=2", "--instance", "ml.c5.xlarge")
    before, old = runs(account)

    ended = change("--model", better)

    assert ended.exit_code == 0, ended.stderr
    config, new = runs(account)
    assert config != before
    assert new["PrimaryContainer"]["ModelDataUrl"] != old["PrimaryContainer"]["ModelDataUrl"]
    assert new["PrimaryContainer"]["Environment"] == {"PLUMBLINE_SLOTS": "2"}
    assert new["PrimaryContainer"]["Image"] == IMAGE
    variant = account("sagemaker").describe_endpoint_config(EndpointConfigName=config)
    assert variant["ProductionVariants"][0]["InstanceType"] == "ml.c5.xlarge"
    assert f"rollback cats --region {REGION}` rolls back to {before}" in ended.stderr
    assert "alarms" not in inventory(account)


def test_what_is_read_back_is_what_up_would_make(
    account: Account, up: Deploy, change: Deploy, better: Path
) -> None:
    up()
    change("--model", better)
    changed = runs(account)[0]

    ended = up("--model", better, model=False)

    assert ended.exit_code == 0, ended.stderr
    assert "nothing was changed" in ended.stderr
    assert runs(account)[0] == changed


def test_the_same_change_twice_is_none(
    account: Account, up: Deploy, change: Deploy, better: Path, sagemaker: Rolling
) -> None:
    up()
    change("--model", better, "--image", OTHER)
    before = inventory(account)

    ended = change("--model", better, "--image", OTHER)

    assert ended.exit_code == 0, ended.stderr
    assert "Nothing had to be changed." in ended.stderr
    assert inventory(account) == before
    assert len(sagemaker.asked) == 1


def test_one_version_before_is_kept_and_what_is_older_goes(
    account: Account, up: Deploy, change: Deploy
) -> None:
    up()
    for slots in range(1, 4):
        assert change("--env", f"PLUMBLINE_SLOTS={slots}").exit_code == 0

    found = inventory(account)

    assert len(found["configs"]) == len(found["models"]) == 2
    assert runs(account)[1]["PrimaryContainer"]["Environment"] == {"PLUMBLINE_SLOTS": "3"}


def test_a_canary_is_asked_of_sagemaker_with_three_alarms(
    account: Account, up: Deploy, change: Deploy, sagemaker: Rolling, weather: Weather
) -> None:
    up("--count", 4)

    ended = change("--image", OTHER, "--canary", "25%", "--bake", "10m", "--max-latency", 300)

    assert ended.exit_code == 0, ended.stderr
    [asked] = sagemaker.asked
    policy = asked["DeploymentConfig"]["BlueGreenUpdatePolicy"]
    assert policy["TrafficRoutingConfiguration"] == {
        "Type": "CANARY",
        "WaitIntervalInSeconds": 600,
        "CanarySize": {"Type": "CAPACITY_PERCENT", "Value": 25},
    }
    alarms = [each.parameters for each in weather.calls if each.operation == "PutMetricAlarm"]
    watched = asked["DeploymentConfig"]["AutoRollbackConfiguration"]["Alarms"]
    assert [each["AlarmName"] for each in watched] == [each["AlarmName"] for each in alarms]
    assert [each["Threshold"] for each in alarms] == [5, 300_000, 1]
    assert asked["RetainAllVariantProperties"] is True


def test_alarms_are_there_before_the_endpoint_changes_and_gone_afterwards(
    account: Account, up: Deploy, change: Deploy, weather: Weather
) -> None:
    up()
    change("--image", OTHER)

    operations = [each.operation for each in weather.calls if each.changes]
    assert operations[-4:] == ["PutMetricAlarm", "PutMetricAlarm", "UpdateEndpoint", "DeleteAlarms"]


def test_another_number_of_machines_is_not_kept_from_before(
    account: Account, up: Deploy, change: Deploy, sagemaker: Rolling
) -> None:
    up()

    assert change("--count", 2).exit_code == 0

    excluded = sagemaker.asked[0]["ExcludeRetainedVariantProperties"]
    assert {"VariantPropertyType": "DesiredInstanceCount"} in excluded
    described = account("sagemaker").describe_endpoint(EndpointName="cats")
    assert described["ProductionVariants"][0]["DesiredInstanceCount"] == 2


def test_one_variant_of_two_is_changed_and_shares_stay(
    account: Account, up: Deploy, change: Deploy, deploy: Deploy, archive: Path, better: Path
) -> None:
    up("--variant", f"a={archive}:90", "--variant", f"b={archive}:10", model=False)
    deploy("weights", "cats", "a=50", "b=50")

    ended = change("--variant", f"b={better}")

    assert ended.exit_code == 0, ended.stderr
    client, config = account("sagemaker"), runs(account)[0]
    found = client.describe_endpoint_config(EndpointConfigName=config)["ProductionVariants"]
    assert [each["InitialVariantWeight"] for each in found] == [50, 50]
    assert found[0]["ModelName"] != found[1]["ModelName"]


def test_one_variant_more_comes_all_at_once(
    account: Account, up: Deploy, change: Deploy, better: Path, sagemaker: Rolling
) -> None:
    up()
    refused = change("--variant", f"new={better}:10", "--canary", "10%")

    ended = change("--variant", f"new={better}:0.5")

    assert refused.exit_code == 2
    assert "whose variants keep their names" in refused.stderr
    assert ended.exit_code == 0, ended.stderr
    assert "DeploymentConfig" not in sagemaker.asked[0]
    described = account("sagemaker").describe_endpoint(EndpointName="cats")
    weights = {
        each["VariantName"]: each["DesiredWeight"] for each in described["ProductionVariants"]
    }
    assert weights == {"all": 1, "new": 0.5}


def test_a_variant_with_a_share_that_has_no_end_in_binary_comes_once(
    account: Account, up: Deploy, change: Deploy, better: Path, sagemaker: Rolling
) -> None:
    up()
    change("--variant", f"new={better}:0.1")
    before = inventory(account)

    ended = change("--variant", f"new={better}:0.1")

    assert ended.exit_code == 0, ended.stderr
    assert "Nothing had to be changed." in ended.stderr
    assert len(sagemaker.asked) == 1
    assert inventory(account) == before


def test_the_loser_of_a_comparison_goes(
    account: Account, up: Deploy, change: Deploy, deploy: Deploy, archive: Path, better: Path
) -> None:
    up("--variant", f"a={archive}:1", "--variant", f"b={better}:1", model=False)

    ended = change("--drop", "a")

    assert ended.exit_code == 0, ended.stderr
    described = account("sagemaker").describe_endpoint(EndpointName="cats")
    assert [each["VariantName"] for each in described["ProductionVariants"]] == ["b"]
    assert deploy("rollback", "cats").exit_code == 0
    described = account("sagemaker").describe_endpoint(EndpointName="cats")
    assert [each["VariantName"] for each in described["ProductionVariants"]] == ["a", "b"]
    assert change("--drop", "c").exit_code == 2
    assert "`down` is what removes" in change("--drop", "a", "--drop", "b").stderr


def test_an_archive_goes_where_the_one_before_is(
    account: Account, up: Deploy, change: Deploy, better: Path
) -> None:
    up("--bucket", "my-own-bucket")

    assert change("--model", better).exit_code == 0

    url = runs(account)[1]["PrimaryContainer"]["ModelDataUrl"]
    assert url.startswith("s3://my-own-bucket/plumbline/cats/")


def test_serverless_endpoints_change_all_at_once(
    account: Account, up: Deploy, change: Deploy, better: Path, sagemaker: Rolling
) -> None:
    up("--serverless", 2048)

    ended = change("--model", better)

    assert ended.exit_code == 0, ended.stderr
    assert set(sagemaker.asked[0]) == {"EndpointName", "EndpointConfigName"}
    assert change("--image", OTHER, "--bake", "1m").exit_code == 2


def test_the_last_machine_of_an_idle_async_endpoint_is_not_kept_away(
    account: Account, up: Deploy, change: Deploy, sagemaker: Rolling
) -> None:
    up("--async", "s3://answers/there/", "--autoscale", "0:2")
    sagemaker.backend.endpoints["cats"].production_variants[0]["DesiredInstanceCount"] = 0

    assert change("--image", OTHER).exit_code == 0

    excluded = sagemaker.asked[0]["ExcludeRetainedVariantProperties"]
    assert {"VariantPropertyType": "DesiredInstanceCount"} in excluded


def test_a_dry_run_changes_nothing(
    account: Account, up: Deploy, change: Deploy, better: Path, weather: Weather
) -> None:
    up()
    weather.calls.clear()

    ended = change("--model", better, "--dry-run")

    assert ended.exit_code == 0, ended.stderr
    assert not [each for each in weather.calls if each.changes]
    calls = [each["operation"] for each in json.loads(ended.stdout)["calls"]]
    assert calls[-2:] == ["UpdateEndpoint", "DescribeEndpoint"]
    assert "more are billed" in ended.stderr


def test_what_deploy_did_not_make_is_left_alone(
    account: Account, up: Deploy, deploy: Deploy
) -> None:
    up()
    config = runs(account)[0]
    account("sagemaker").create_endpoint(EndpointName="theirs", EndpointConfigName=config)

    for command in (("update", "theirs", "--image", OTHER), ("rollback", "theirs")):
        ended = deploy(*command)
        assert ended.exit_code == 4
        assert "deploy.py did not make it" in ended.stderr
