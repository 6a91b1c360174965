"""What can be typed after `up`: what it means, and what is refused before AWS is asked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
import pytest
from aws_account import ACCOUNT, IMAGE, REGION, ROLE, Account, Deploy

from deployment.cli import COMMANDS, main
from deployment.errors import Misuse
from deployment.terminal.autoscale import best, measured_target, read

KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/1"

RUNS = [
    {"connections": 1, "requests_per_second": 50.0, "p95_ms": 25.0, "errors": 0},
    {"connections": 4, "requests_per_second": 120.0, "p95_ms": 60.0, "errors": 0},
    {"connections": 16, "requests_per_second": 150.0, "p95_ms": 300.0, "errors": 0},
    {"connections": 8, "requests_per_second": 999.0, "p95_ms": 10.0, "errors": 3},
    {"connections": 32, "requests_per_second": 0.0, "p95_ms": None, "errors": 9},
]


@pytest.fixture
def bench(tmp_path: Path) -> Path:
    """What `plumbline bench` has measured."""
    file = tmp_path / "bench.json"
    file.write_text(json.dumps({"model": "cats", "runs": RUNS}))
    return file


def planned(up: Deploy, *options: object, model: bool = True) -> dict[str, Any]:
    """The parameters of each planned call, by its operation; of several the last."""
    ended = up("--region", REGION, "--dry-run", *options, model=model)
    assert ended.exit_code == 0, ended.stderr
    calls = json.loads(ended.stdout)["calls"]
    return {call["operation"]: call["parameters"] for call in calls}


def variant(calls: dict[str, Any]) -> dict[str, Any]:
    """The first production variant."""
    found: dict[str, Any] = calls["CreateEndpointConfig"]["ProductionVariants"][0]
    return found


# -- what options mean --------------------------------------------------------------------------


def test_machines(up: Deploy) -> None:
    calls = planned(up, "--instance", "ml.m5.xlarge", "--count", 3, "--health-timeout", 900)

    assert variant(calls)["InstanceType"] == "ml.m5.xlarge"
    assert variant(calls)["InitialInstanceCount"] == 3
    assert variant(calls)["ContainerStartupHealthCheckTimeoutInSeconds"] == 900


def test_requests_go_to_the_least_busy_machine_unless_said_otherwise(up: Deploy) -> None:
    usual, chosen = planned(up), planned(up, "--routing", "random")

    assert variant(usual)["RoutingConfig"] == {"RoutingStrategy": "LEAST_OUTSTANDING_REQUESTS"}
    assert variant(chosen)["RoutingConfig"] == {"RoutingStrategy": "RANDOM"}
    assert "RoutingConfig" not in variant(planned(up, "--serverless", 2048))


def test_several_types_are_tried_in_their_order(up: Deploy) -> None:
    made = variant(planned(up, "--instance", "ml.c7i.large,ml.c5.large", "--count", 2))

    assert made["InstancePools"] == [
        {"InstanceType": "ml.c7i.large", "Priority": 1},
        {"InstanceType": "ml.c5.large", "Priority": 2},
    ]
    assert made["InitialInstanceCount"] == 2
    assert "InstanceType" not in made


def test_what_is_kept_is_encrypted_and_json_stays_text(up: Deploy) -> None:
    calls = planned(up, "--capture", "s3://kept/here/", "--kms-data", KEY)
    answers = planned(up, "--async", "s3://kept/here/", "--kms-data", KEY)

    kept = calls["CreateEndpointConfig"]["DataCaptureConfig"]
    output = answers["CreateEndpointConfig"]["AsyncInferenceConfig"]["OutputConfig"]
    assert (kept["KmsKeyId"], output["KmsKeyId"]) == (KEY, KEY)
    assert "application/json" in kept["CaptureContentTypeHeader"]["JsonContentTypes"]


def test_a_dry_run_prints_the_policies_that_it_needs(up: Deploy) -> None:
    ended = up("--region", REGION, "--dry-run", "--log-days", 7)
    policies = json.loads(ended.stdout)["policies"]

    actions = [each for part in policies["person"]["Statement"] for each in part["Action"]]
    assert {"sagemaker:CreateEndpoint", "iam:PassRole", "logs:PutRetentionPolicy"} <= {*actions}
    assert "sagemaker:CreateTrainingJob" not in actions
    assert policies["role"]["Statement"]


def test_serverless(up: Deploy) -> None:
    calls = planned(up, "--serverless", 2048, "--concurrency", 7)

    assert variant(calls)["ServerlessConfig"] == {"MemorySizeInMB": 2048, "MaxConcurrency": 7}
    assert "InstanceType" not in variant(calls)


def test_async(up: Deploy) -> None:
    topic = f"arn:aws:sns:{REGION}:{ACCOUNT}:done"
    calls = planned(up, "--async", "s3://answers/", "--success-topic", topic)

    config = calls["CreateEndpointConfig"]["AsyncInferenceConfig"]
    assert config["OutputConfig"]["S3OutputPath"] == "s3://answers/"
    assert config["OutputConfig"]["NotificationConfig"] == {"SuccessTopic": topic}


def test_the_container_s_surroundings(up: Deploy) -> None:
    calls = planned(
        up,
        *("--env", "PLUMBLINE_SLOTS=2", "--env", "EMPTY=", "--isolated"),
        *("--subnet", "subnet-1", "--security-group", "sg-1", "--kms-key", KEY),
        *("--capture", "s3://kept/", "--capture-percent", 20),
    )

    model, config = calls["CreateModel"], calls["CreateEndpointConfig"]
    assert model["PrimaryContainer"]["Environment"] == {"PLUMBLINE_SLOTS": "2", "EMPTY": ""}
    assert model["EnableNetworkIsolation"] is True
    assert model["VpcConfig"] == {"Subnets": ["subnet-1"], "SecurityGroupIds": ["sg-1"]}
    assert config["KmsKeyId"] == KEY
    assert config["DataCaptureConfig"]["InitialSamplingPercentage"] == 20


def test_metrics_of_a_real_time_endpoint_are_collected_unless_nobody_wants_them(up: Deploy) -> None:
    for options, seconds in (((), 60), (("--metrics", "10"), 10)):
        calls = planned(up, *options)
        container = calls["CreateModel"]["PrimaryContainer"]
        assert container["ContainerMetricsConfig"]["MetricsEndpoints"] == [
            {"MetricsEndpointPath": "/metrics", "MetricPublishFrequencyInSeconds": seconds}
        ]
        assert calls["CreateEndpointConfig"]["MetricsConfig"] == {
            "EnableEnhancedMetrics": True,
            "EnableDetailedObservability": True,
            "MetricPublishFrequencyInSeconds": seconds,
        }
    calls = planned(up, "--metrics", "none")
    assert "ContainerMetricsConfig" not in calls["CreateModel"]["PrimaryContainer"]
    # AWS collects them where nothing is said.
    assert calls["CreateEndpointConfig"]["MetricsConfig"]["EnableDetailedObservability"] is False


@pytest.mark.parametrize("kind", [("--serverless", 2048), ("--async", "s3://answers/")])
def test_containers_that_nobody_asks_for_metrics_write_them(up: Deploy, kind: Any) -> None:
    calls = planned(up, *kind, "--env", "PLUMBLINE_SLOTS=2")
    silent = planned(up, *kind, "--metrics", "none")

    assert calls["CreateModel"]["PrimaryContainer"]["Environment"] == {
        "PLUMBLINE_METRICS": "emf",
        "PLUMBLINE_ENDPOINT": "cats",
        "PLUMBLINE_VARIANT": "all",
        "PLUMBLINE_SLOTS": "2",
    }
    assert silent["CreateModel"]["PrimaryContainer"]["Environment"] == {}
    assert not {"MetricsConfig"} & {*calls["CreateEndpointConfig"], *silent["CreateEndpointConfig"]}


def test_what_metrics_cost_is_told_as_far_as_it_is_known(up: Deploy) -> None:
    def said(*options: object) -> str:
        return str(up("--region", REGION, "--dry-run", *options).stdout)

    assert "what detailed observability costs was not known" in said()
    assert "9 custom metrics" in said("--serverless", 2048)
    assert "custom metrics" not in said("--metrics", "none", "--serverless", 2048)
    assert "observability costs" not in said("--metrics", "none")


def test_variants_have_their_shares_and_a_shadow_listens(up: Deploy, archive: Path) -> None:
    several = ("--variant", f"old={archive}:90", "--variant", "new=s3://models/b.tar.gz:10")
    found = planned(up, *several, model=False)["CreateEndpointConfig"]["ProductionVariants"]
    shaded = planned(up, "--shadow", "next=s3://models/b.tar.gz")["CreateEndpointConfig"]

    weights = {each["VariantName"]: each["InitialVariantWeight"] for each in found}
    assert weights == {"old": 90, "new": 10}
    assert shaded["ShadowProductionVariants"][0]["VariantName"] == "next"


def test_a_benchmark_sets_the_target(up: Deploy, bench: Path) -> None:
    options = ("--autoscale", "1:4", "--benchmark", bench, "--p95", 100, "--safety", 0.5)
    tracked = planned(up, *options)["PutScalingPolicy"]
    policy = tracked["TargetTrackingScalingPolicyConfiguration"]

    assert policy["TargetValue"] == 120 * 60 * 0.5
    assert "InvocationsPerInstance" in str(policy["PredefinedMetricSpecification"])


def test_concurrency_is_measured_too(up: Deploy, bench: Path) -> None:
    options = ("--autoscale", "1:4", "--metric", "concurrency", "--benchmark", bench)
    tracked = planned(up, *options)["PutScalingPolicy"]
    policy = tracked["TargetTrackingScalingPolicyConfiguration"]

    assert policy["TargetValue"] == 4 * 0.7


def test_async_endpoints_scale_to_nothing_and_wake(up: Deploy) -> None:
    calls = planned(up, "--async", "s3://answers/", "--autoscale", "0:2")

    assert calls["RegisterScalableTarget"]["MinCapacity"] == 0
    assert calls["PutMetricAlarm"]["MetricName"] == "HasBacklogWithoutCapacity"
    assert calls["PutMetricAlarm"]["AlarmActions"] == ["<PolicyARN of waking policy of all>"]


def test_costs_are_told_in_words(up: Deploy) -> None:
    fixed = up("--region", REGION, "--dry-run", "--count", 2, "--instance", "ml.m5.xlarge")
    serverless = up("--region", REGION, "--dry-run", "--serverless", 2048)

    assert "2 × ml.m5.xlarge: billed by the second" in fixed.stderr
    assert "until `python deploy.py down cats`" in fixed.stderr
    assert "nothing while it does not" in serverless.stderr


# -- what is refused ----------------------------------------------------------------------------

REFUSED: dict[str, tuple[tuple[object, ...], str]] = {
    "memory": (("--serverless", 3000), "1024, 2048, 3072"),
    "serverless machines": (("--serverless", 2048, "--count", 2), "--count is an option of"),
    "two kinds": (("--serverless", 2048, "--async", "s3://a-b/"), "one of the two"),
    "serverless in a VPC": (
        ("--serverless", 2048, "--subnet", "a", "--security-group", "b"),
        "leave out --subnet",
    ),
    "serverless autoscale": (
        ("--serverless", 2048, "--autoscale", "1:2", "--target", 5),
        "scales by itself",
    ),
    "half a VPC": (("--subnet", "subnet-1"), "go together"),
    "instance": (("--instance", "c5.large"), "ml.c5.large"),
    "time-out": (("--health-timeout", 10), "60 to 3600"),
    "environment": (("--env", "SLOTS"), "NAME=VALUE"),
    "odd variable": (("--env", "A-B=1"), "no name for an environment variable"),
    "capture": (("--capture", "kept/"), "s3://my-bucket/captured/"),
    "answers": (("--async", "answers/"), "s3://my-bucket/answers/"),
    "no bounds": (("--autoscale", "3"), "such as 1:4"),
    "bounds upside down": (("--autoscale", "4:1", "--target", 5), "the minimum, a colon"),
    "to zero": (("--autoscale", "0:4", "--target", 5), "--component 2048 can"),
    "a component of two types": (("--component", 512, "--instance", "ml.a,ml.b"), "real-time"),
    "processors of nothing": (("--cpus", 2), "--cpus is an option of component"),
    "many models and one": (("--multi-model",), "leave out --model"),
    "a folder, serverless": (
        ("--serverless", 2048, "--shadow", "b=s3://models/b/"),
        "not folders in S3",
    ),
    "a package and an image": (("--shadow", "b=arn:aws:x"), "ARN of a model package"),
    "no such retention": (("--log-days", 31), "30, 60"),
    "a key for nothing": (("--kms-data", "key"), "--capture and --async"),
    "routing of no machines": (("--serverless", 2048, "--routing", "random"), "--routing is for"),
    "no target": (("--autoscale", "1:4"), "plumbline bench"),
    "target of nothing": (("--target", 5), "goes with --autoscale"),
    "backlog": (("--autoscale", "1:4", "--metric", "backlog", "--target", 5), "--async"),
    "shadow of nothing": (("--shadow", "next"), "new=model.tar.gz:10"),
    "no such file": (("--shadow", "next=nowhere.tar.gz"), "plumbline pack"),
    "same name": (("--shadow", "all=s3://models/b.tar.gz"), "same name"),
    "memory of nothing": (("--serverless", 0, "--concurrency", 3), "1024, 2048, 3072"),
    "no machines": (("--count", 0), "x>=1"),
    "nothing at a time": (("--serverless", 2048, "--concurrency", 0), "x>=1"),
    "fewer than none ready": (("--serverless", 2048, "--provisioned", -3), "x>=0"),
    "serverless waiting": (("--serverless", 2048, "--health-timeout", 0), "leave out --health"),
    "capture of nothing": (("--capture-percent", 20), "goes with --capture s3://"),
    "p95 of nothing": (("--autoscale", "1:4", "--target", 5, "--p95", 9), "--benchmark bench.json"),
    "safety of nothing": (("--safety", 0.5), "goes with --autoscale"),
    "cool-down of nothing": (("--scale-in-cooldown", 5), "--scale-in-cooldown goes with"),
    "target and benchmark": (
        ("--autoscale", "1:4", "--target", 5, "--benchmark", __file__),
        "one of the two",
    ),
    "benchmark of a queue": (
        ("--async", "s3://answers/", "--autoscale", "0:4", "--benchmark", __file__),
        "how many requests may wait",
    ),
    "bucket as a place": (("--bucket", "s3://foo"), "without s3://"),
    "long name": (("--shadow", f"{'a-' * 32}a=s3://models/b.tar.gz"), "at most 63"),
    "weight of a footnote": (("--shadow", "next=nowhere.tar.gz:²"), "no file nowhere"),
    "bounds of another script": (("--autoscale", "١:٤", "--target", 5), "such as 1:4"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_aws_would_refuse_is_refused_at_once(
    account: Account, up: Deploy, case: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    options, phrase = REFUSED[case]
    ended = up(*options)

    assert ended.exit_code == 2, ended.stderr
    assert phrase in ended.stderr
    assert account("s3").list_buckets()["Buckets"] == []


@pytest.mark.parametrize(
    ("image", "phrase"),
    [
        ("plumbline:1", "./build_and_push.sh"),
        (f"{ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com/plumbline:1", "--region us-east-1"),
    ],
)
def test_an_image_that_sagemaker_can_not_fetch(up: Deploy, image: str, phrase: str) -> None:
    ended = up("--region", REGION, "--dry-run", "--image", image)

    assert ended.exit_code == 2
    assert phrase in ended.stderr


def test_a_role_that_is_none(up: Deploy) -> None:
    ended = up("--region", REGION, "--dry-run", "--role", "my-role")

    assert ended.exit_code == 2
    assert "arn:aws:iam::123456789012:role/" in ended.stderr


@pytest.mark.parametrize(
    "name", ["c_ats", "-cats", "cats-", "a" * 46, "a-" * 44 + "a", "cats/1", ""]
)
def test_a_name_that_aws_would_not_take(deploy: Deploy, name: str) -> None:
    ended = deploy("down", "--region", REGION, "--yes", "--", name)

    assert ended.exit_code == 2
    assert "can't be the name of an endpoint" in ended.stderr


def test_a_bucket_that_is_a_place(account: Account, deploy: Deploy) -> None:
    ended = deploy("down", "cats", "--bucket", "s3://foo")

    assert ended.exit_code == 2
    assert "without s3://" in ended.stderr


@pytest.mark.parametrize(
    ("given", "phrase"),
    [(("--image", IMAGE), "`python deploy.py account`"), (("--role", ROLE), "./build_and_push.sh")],
)
def test_what_is_missing_is_told_with_how_to_come_by_it(
    deploy: Deploy, given: tuple[str, ...], phrase: str
) -> None:
    ended = deploy("up", "cats", *given, "--model", "s3://m-n/m.tar.gz", "--region", REGION)

    assert ended.exit_code == 2
    assert phrase in ended.stderr


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_says_what_it_is(name: str) -> None:
    command = main.get_command(click.Context(main), name)

    assert command
    found = [each for each in command.params if isinstance(each, click.Option)]
    assert found
    assert [each.name for each in found if not each.help] == []


def test_neither_a_model_nor_variants(up: Deploy) -> None:
    ended = up("--region", REGION, "--dry-run", model=False)

    assert ended.exit_code == 2
    assert "--variant old=a.tar.gz:90" in ended.stderr


# -- benchmark files ----------------------------------------------------------------------------


def test_the_best_run_is_the_one_with_most_requests_in_time(bench: Path) -> None:
    assert best(read(bench), 100)["connections"] == 4
    assert best(read(bench), 1000)["connections"] == 16
    assert measured_target(best(read(bench), 30), "invocations") == 50 * 60 * 0.7
    assert best(read(bench), 60)["connections"] == 4
    assert best(read(bench), 59.9)["connections"] == 1


def test_no_run_was_quick_enough(bench: Path) -> None:
    with pytest.raises(Misuse, match=r"within 5 ms; the quickest did within 25 ms"):
        best(read(bench), 5)


def test_runs_with_errors_do_not_count(bench: Path) -> None:
    with pytest.raises(Misuse, match="no run without errors"):
        best(read(bench)[3:], 100)


@pytest.mark.parametrize("text", ["", "[]", '{"runs": [{}]}', '{"runs": [{"p95_ms": "x"}]}', "{"])
def test_what_is_no_benchmark_file_is_said_to_be_none(tmp_path: Path, text: str) -> None:
    file = tmp_path / "bench.json"
    file.write_text(text)
    with pytest.raises(Misuse, match=r"plumbline bench --out"):
        read(file)
