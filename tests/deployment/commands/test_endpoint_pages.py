"""`deploy.py page`: the page is served on this machine, and the endpoint is asked."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import boto3
import pytest
from aws_account import REGION, Account, Deploy

import moto_server
from deployment.proof import inspection

ROOT = Path(__file__).parents[3]

CONFIG = {
    "EndpointConfigName": "cats",
    "ProductionVariants": [
        {
            "VariantName": "all",
            "ModelName": "cats",
            "InitialInstanceCount": 1,
            "InstanceType": "ml.m5.large",
        }
    ],
}


def test_the_page_asks_the_endpoint_until_it_is_interrupted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with moto_server.serving() as url:
        for name, value in moto_server.environment(url).items():
            monkeypatch.setenv(name, value)
        environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
        sagemaker = boto3.session.Session().client("sagemaker")
        role = "arn:aws:iam::123456789012:role/r"
        sagemaker.create_model(ModelName="cats", ExecutionRoleArn=role)
        sagemaker.create_endpoint_config(**CONFIG)
        sagemaker.create_endpoint(EndpointName="cats", EndpointConfigName="cats")
        command = [sys.executable, ROOT / "deploy.py", "page", "cats", "--port", "0"]
        with subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, text=True, start_new_session=True
        ) as process:
            assert process.stdout
            address = process.stdout.readline().split()[-1]
            connection = http.client.HTTPConnection(address.split("/")[2], timeout=60)
            connection.request("GET", "/")
            assert b"<title>Plumbline</title>" in connection.getresponse().read()
            connection.request("POST", "/invocations", b"x", {"Content-Type": "image/png"})
            assert (answer := connection.getresponse()).status == 200
            assert answer.read() == b"body", "what moto answers for all endpoints"
            connection.close()
            os.killpg(process.pid, signal.SIGINT)  # as a terminal sends Ctrl-C
            assert process.wait(60) == 130


def test_the_variant_and_the_port_are_handed_on(
    account: Account, up: Deploy, deploy: Deploy, monkeypatch: pytest.MonkeyPatch
) -> None:
    up()
    run: list[Any] = []

    def record(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        run.append(command[3:])
        return subprocess.CompletedProcess([], 7, "", "")

    monkeypatch.setattr(inspection.subprocess, "run", record)
    ended = deploy("page", "cats", "--variant", "all", "--port", 9000, "--region", REGION)
    assert ended.exit_code == 7
    options = ["--endpoint", "cats", "--region", REGION, "--port", "9000", "--variant", "all"]
    assert run == [["page", *options]]


def test_a_dry_run_says_what_a_picture_will_ask(account: Account, deploy: Deploy) -> None:
    ended = deploy("page", "cats", "--region", REGION, "--dry-run")
    [call] = json.loads(ended.stdout)["calls"]
    assert (call["operation"], call["parameters"]["EndpointName"]) == ("InvokeEndpoint", "cats")
    assert "AWS bills" in ended.stderr


def test_an_endpoint_that_is_not_there_has_no_page(account: Account, deploy: Deploy) -> None:
    ended = deploy("page", "cats", "--region", REGION)
    assert ended.exit_code != 0
    assert "There is no endpoint cats in eu-central-1." in ended.stderr


def test_an_async_endpoint_has_no_page(account: Account, up: Deploy, deploy: Deploy) -> None:
    place = {"LocationConstraint": REGION}
    account("s3").create_bucket(Bucket="answers", CreateBucketConfiguration=place)
    up("--async", "s3://answers/there/")
    ended = deploy("page", "cats")
    assert ended.exit_code == 2
    assert "`python deploy.py invoke cats PICTURE` does." in ended.stderr
