"""`status`, `list`, `logs` and `invoke`, and what `down` finds in odd states."""

from __future__ import annotations

import json
import os
import subprocess
import time
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from aws_account import BUCKET, IMAGE, REGION, ROLE, Account, Deploy, inventory
from faults import Weather, refused

import moto_server
from deployment import names
from deployment.aws import performer
from deployment.proof import inspection


def test_status_says_what_runs(account: Account, up: Deploy, deploy: Deploy) -> None:
    up("--autoscale", "1:3", "--target", 600)

    ended = deploy("status", "cats")

    assert ended.exit_code == 0, ended.stderr
    assert "cats: InService since " in ended.stdout
    assert "all: model cats-" in ended.stdout
    assert "1 × ml.c5.large" in ended.stdout
    assert "all has 1 to 3 instances, by load" in ended.stdout


def test_status_of_a_serverless_endpoint_for_scripts(
    account: Account, up: Deploy, deploy: Deploy
) -> None:
    up("--serverless", 2048)

    ended = deploy("status", "cats", "--json")

    found = json.loads(ended.stdout)
    assert found["EndpointStatus"] == "InService"
    assert found["Config"]["ProductionVariants"][0]["ServerlessConfig"]["MemorySizeInMB"] == 2048
    assert "serverless, 2048 MB" in deploy("status", "cats").stdout


@pytest.mark.parametrize("command", [("status",), ("invoke", "FILE")])
def test_of_no_endpoint_it_says_where_to_look(
    account: Account, deploy: Deploy, archive: Path, command: tuple[str, ...]
) -> None:
    verb, *more = command
    ended = deploy(verb, "cats", *(archive for _ in more))

    assert ended.exit_code == 4
    assert "There is no endpoint cats in eu-central-1." in ended.stderr
    assert "deploy.py list" in ended.stderr


def test_list_shows_what_deploy_made_and_nothing_else(
    account: Account, up: Deploy, deploy: Deploy
) -> None:
    nothing = deploy("list")
    up()
    sagemaker = account("sagemaker")
    config = sagemaker.list_endpoint_configs()["EndpointConfigs"][0]["EndpointConfigName"]
    sagemaker.create_endpoint(EndpointName="theirs", EndpointConfigName=config)

    assert "no endpoint in eu-central-1" in nothing.stderr
    assert deploy("list").stdout.startswith("cats: InService")
    assert "theirs" not in deploy("list").stdout
    assert json.loads(deploy("list", "--json").stdout)["EndpointName"] == "cats"


def test_logs_shows_the_last_lines_of_all_containers(account: Account, deploy: Deploy) -> None:
    client, now = account("logs"), int(time.time() * 1000)
    group = names.log_group("cats")
    nothing = deploy("logs", "cats")
    client.create_log_group(logGroupName=group)
    for number, stream in enumerate(("all/i-1", "all/i-2")):
        client.create_log_stream(logGroupName=group, logStreamName=stream)
        events = [
            {"timestamp": now + 10 * line + number, "message": f"line {line} of {stream}"}
            for line in range(3)
        ]
        client.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)

    ended = deploy("logs", "cats", "--lines", 3)

    assert "have written nothing yet" in nothing.stderr
    said = [line.split("  ")[1] for line in ended.stdout.splitlines()]
    assert said == ["line 1 of all/i-2", "line 2 of all/i-1", "line 2 of all/i-2"]


def test_dry_runs_of_what_only_looks(account: Account, deploy: Deploy, archive: Path) -> None:
    where = ("--region", REGION, "--dry-run")
    for command in (("status", "cats"), ("logs", "cats"), ("list",), ("invoke", "cats", archive)):
        ended = deploy(*command, *where)

        assert ended.exit_code == 0, ended.stderr
        assert json.loads(ended.stdout)["calls"]


def test_invoke_hands_on_to_plumbline_predict(
    archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a process of its own asks moto's server, which answers nothing that is JSON."""
    with moto_server.serving() as url:
        for name, value in moto_server.environment(url).items():
            monkeypatch.setenv(name, value)
        asked = ("predict", "--endpoint", "cats", "--region", REGION, "--json", "--", str(archive))
        done = inspection.plumbline(*asked)

    said = json.loads(done.stdout)
    assert said["file"] == str(archive)
    assert done.returncode == 1
    assert said["error"]["code"] == "not_json"


def test_invoke_asks_with_the_profile_and_not_with_the_keys_of_the_environment(
    account: Account,
    up: Deploy,
    deploy: Deploy,
    archive: Path,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    config = tmp_path / "config"
    config.write_text("[profile other]\naws_access_key_id = o\naws_secret_access_key = o\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    up()
    asked: list[dict[str, str]] = []

    def run(*_: Any, env: dict[str, str], **__: Any) -> subprocess.CompletedProcess[str]:
        asked.append(env)
        return subprocess.CompletedProcess([], 3, "", "")

    monkeypatch.setattr(inspection.subprocess, "run", run)
    ended = deploy("invoke", "cats", archive, "--profile", "other")
    deploy("invoke", "cats", archive)

    assert ended.exit_code == 3
    session = botocore.session.Session()
    with pytest.MonkeyPatch.context() as patch:
        for name in {*os.environ} - {*asked[0]}:
            patch.delenv(name)
        patch.setenv("AWS_PROFILE", asked[0]["AWS_PROFILE"])
        assert session.get_credentials().access_key == "o"
    assert "AWS_ACCESS_KEY_ID" in asked[1]


# -- down, in odd states ------------------------------------------------------------------------


def test_down_waits_for_an_endpoint_that_is_being_made(
    account: Account, up: Deploy, deploy: Deploy
) -> None:
    from moto.sagemaker.models import sagemaker_backends

    up()
    made = sagemaker_backends["123456789012"][REGION].endpoints["cats"]
    made.endpoint_status = "Creating"
    seen: list[str] = []

    def settle() -> None:
        seen.append(made.endpoint_status)
        made.endpoint_status = "InService" if len(seen) > 2 else "Creating"

    weather = Weather(after={"DescribeEndpoint": settle})
    with weather.prevailing():
        ended = deploy("down", "cats", "--yes")

    operations = [call.operation for call in weather.calls]
    assert ended.exit_code == 0, ended.stderr
    assert operations.index("DeleteEndpoint") > 2
    assert set(inventory(account)) == {"objects"}


def test_down_waits_for_an_endpoint_that_somebody_else_removes(
    account: Account, up: Deploy, deploy: Deploy
) -> None:
    from moto.sagemaker.models import sagemaker_backends

    up()
    endpoints = sagemaker_backends["123456789012"][REGION].endpoints
    endpoints["cats"].endpoint_status = "Deleting"
    refusing = refused("ValidationException", "Cannot update in-progress endpoint.")
    looks: list[None] = []

    def look() -> None:
        looks.append(None)
        if len(looks) == 4:
            del endpoints["cats"]

    weather = Weather(before={"DeleteEndpoint": refusing}, after={"DescribeEndpoint": look})
    with weather.prevailing():
        ended = deploy("down", "cats", "--yes")

    assert ended.exit_code == 0, ended.stderr
    assert set(inventory(account)) == {"objects"}


def test_down_does_not_wait_for_ever(
    account: Account, up: Deploy, deploy: Deploy, monkeypatch: pytest.MonkeyPatch
) -> None:
    up()
    monkeypatch.setattr(performer, "MOST_SECONDS", 0.0)
    with Weather(stubs={"DeleteEndpoint": lambda _: {}}).prevailing():
        ended = deploy("down", "cats", "--yes")

    assert ended.exit_code == 5
    assert "The endpoint cats is still there after hours" in ended.stderr


def test_an_upload_that_broke_off_is_found(account: Account, up: Deploy, deploy: Deploy) -> None:
    up()
    key = f"{names.prefix('cats')}0123/model.tar.gz"
    account("s3").create_multipart_upload(Bucket=BUCKET, Key=key)

    ended = deploy("down", "cats", "--yes", "--data")

    assert ended.exit_code == 0, ended.stderr
    assert inventory(account) == {}


def test_large_archives_go_in_parts_and_are_taken_up_whole(
    account: Account, up: Deploy, archive: Path
) -> None:
    archive.write_bytes(bytes(9 * 1024**2))
    weather = Weather()
    with weather.prevailing():
        assert up().exit_code == 0
    sent = [call.operation for call in weather.calls if call.service == "s3"]
    again = Weather()
    with again.prevailing():
        assert up().exit_code == 0

    assert sent.count("UploadPart") == 2
    assert sent[-1] == "CompleteMultipartUpload"
    assert [call.operation for call in again.calls if call.changes] == []


def test_a_part_that_is_refused_leaves_no_upload_behind(
    account: Account, up: Deploy, archive: Path
) -> None:
    archive.write_bytes(bytes(9 * 1024**2))
    with Weather(before={"UploadPart": refused("AccessDenied", "Access Denied", 403)}).prevailing():
        ended = up()

    assert ended.exit_code == 3
    assert '"Action": "s3:PutObject"' in ended.stderr
    assert "uploads" not in inventory(account)


def test_down_asks_first(account: Account, up: Deploy, deploy: Deploy) -> None:
    up()
    before = inventory(account)

    no = deploy("down", "cats", answer="n\n")
    dry = deploy("down", "cats", "--dry-run")

    assert no.exit_code == 1
    assert inventory(account) == before
    assert dry.exit_code == 0
    operations = [call["operation"] for call in json.loads(dry.stdout)["calls"]]
    assert operations == ["DeleteEndpoint", "DeleteEndpointConfig", "DeleteModel"]
    assert deploy("down", "cats", answer="y\n").exit_code == 0
    assert set(inventory(account)) == {"objects"}


def test_down_of_nothing_says_so(account: Account, deploy: Deploy) -> None:
    ended = deploy("down", "cats", "--yes")

    assert ended.exit_code == 0
    assert "There is nothing of cats in eu-central-1" in ended.stderr


def test_down_leaves_others_alone(account: Account, up: Deploy, deploy: Deploy) -> None:
    up()
    needed = account("sagemaker").list_models()["Models"][0]["ModelName"]
    role = account("sagemaker").describe_model(ModelName=needed)["ExecutionRoleArn"]
    for name in ("cats-0123abcd", "cats-two", "cats-two-01234567"):
        account("sagemaker").create_model(ModelName=name, ExecutionRoleArn=role)

    assert deploy("down", "cats", "--yes").exit_code == 0
    assert inventory(account)["models"] == ["cats-0123abcd", "cats-two", "cats-two-01234567"]


def test_down_leaves_the_scaling_of_others(
    account: Account, up: Deploy, deploy: Deploy, archive: Path
) -> None:
    scaled = ("--autoscale", "1:3", "--target", 600)
    made = ("--image", IMAGE, "--role", ROLE, "--model", archive, "--no-check")
    assert deploy("up", "cats-two", *made, *scaled).exit_code == 0
    alone = inventory(account)
    up(*scaled)

    assert deploy("down", "cats", "--yes", "--data").exit_code == 0
    assert inventory(account) == alone


def test_down_leaves_the_logs_of_others(account: Account, up: Deploy, deploy: Deploy) -> None:
    up()
    for name in ("cats", "cats-two"):
        account("logs").create_log_group(logGroupName=names.log_group(name))

    assert deploy("down", "cats", "--yes", "--data").exit_code == 0
    [left] = account("logs").describe_log_groups()["logGroups"]
    assert left["logGroupName"] == names.log_group("cats-two")


def test_data_that_may_not_be_seen_does_not_keep_the_bill_running(
    account: Account, up: Deploy, deploy: Deploy
) -> None:
    up()
    with Weather(before={"ListObjectsV2": refused("AccessDenied", "No.", 403)}).prevailing():
        ended = deploy("down", "cats", "--yes")
        data = deploy("down", "cats", "--yes", "--data")

    assert ended.exit_code == 0, ended.stderr
    assert "can't be seen whether data is left" in ended.stderr
    assert data.exit_code == 4
    assert set(inventory(account)) == {"objects"}
