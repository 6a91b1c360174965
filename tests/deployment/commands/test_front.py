"""The HTTPS front: a template that cfn-lint accepts, and a function that guards the endpoint."""

from __future__ import annotations

import base64
import io
import json
import types
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from aws_account import Account, Deploy
from cfnlint.api import lint
from cfnlint.config import ManualArgs
from faults import Weather, refused

Handler = Callable[[Mapping[str, Any]], Any]


@pytest.fixture
def template(deploy: Deploy) -> dict[str, Any]:
    """What `deploy.py front cats` prints."""
    ended = deploy("front", "cats", "--most-mb", 1)
    assert ended.exit_code == 0, ended.stderr
    made: dict[str, Any] = json.loads(ended.stdout)
    return made


@pytest.fixture
def handler(account: Account, template: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Handler:
    """The function of the template, with the key `secret`."""
    return made(account, template, monkeypatch)


def made(account: Account, template: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Handler:
    """The function of a template, with its parameters as they are by default."""
    secret = account("secretsmanager").create_secret(Name="key", SecretString="secret")["ARN"]
    function = template["Resources"]["Function"]["Properties"]
    given = {name: str(each["Default"]) for name, each in template["Parameters"].items()}
    for name, value in function["Environment"]["Variables"].items():
        monkeypatch.setenv(name, {**given, "Key": secret}[value["Ref"]])
    module = types.ModuleType("index")
    exec(function["Code"]["ZipFile"], module.__dict__)
    return lambda event: module.handler(event, None)


@pytest.mark.parametrize(
    ("options", "asked"),
    [
        ((), {}),
        (("--component",), {"InferenceComponentName": "cats"}),
        (("--model", "birds"), {"TargetModel": "birds.tar.gz"}),
        (("--model", "birds.tar.gz"), {"TargetModel": "birds.tar.gz"}),
    ],
    ids=["variants", "a component", "one of many", "by its whole name"],
)
def test_it_says_which_model_where_that_has_to_be_said(
    account: Account,
    deploy: Deploy,
    monkeypatch: pytest.MonkeyPatch,
    options: tuple[str, ...],
    asked: dict[str, str],
) -> None:
    template = json.loads(deploy("front", "cats", *options).stdout)
    assert lint(json.dumps(template), config=ManualArgs(regions=["eu-central-1"])) == []

    answered = {"Body": io.BytesIO(b"[1]"), "ContentType": "application/json"}
    with Weather(stubs={"InvokeEndpoint": lambda _: answered}).prevailing() as weather:
        assert said(made(account, template, monkeypatch)(request())) == (200, b"[1]")

    found = weather.calls[-1].parameters
    assert {key: found[key] for key in found if key in WHICH} == asked


WHICH = ("InferenceComponentName", "TargetModel")


def request(body: bytes = b"a picture", **headers: str) -> dict[str, Any]:
    """As API Gateway hands it on."""
    sent = {"X-Api-Key": "secret", **headers}
    encoded = base64.b64encode(body).decode()
    return {"headers": sent, "body": encoded, "isBase64Encoded": True}


def said(answer: Mapping[str, Any]) -> tuple[int, bytes]:
    """The status and the body."""
    return answer["statusCode"], base64.b64decode(answer["body"])


def test_cfn_lint_accepts_it(template: dict[str, Any]) -> None:
    assert lint(json.dumps(template), config=ManualArgs(regions=["eu-central-1"])) == []
    assert len(template["Resources"]["Function"]["Properties"]["Code"]["ZipFile"]) < 4096


def test_a_picture_with_the_key_is_answered(handler: Handler) -> None:
    answered = {"Body": io.BytesIO(b"[1]"), "ContentType": "application/json"}
    with Weather(stubs={"InvokeEndpoint": lambda _: answered}).prevailing() as weather:
        answer = handler(request(accept="text/html"))

    assert said(answer) == (200, b"[1]")
    assert answer["headers"]["content-type"] == "application/json"
    [asked] = weather.calls
    assert asked.parameters["Body"] == b"a picture"
    assert (asked.parameters["EndpointName"], asked.parameters["Accept"]) == (
        "cats",
        "application/json",
    )


@pytest.mark.parametrize(
    ("event", "status"),
    [
        (request(**{"X-Api-Key": "wrong"}), 401),
        (request(**{"X-Api-Key": "ключ"}), 401),
        ({"headers": {}, "body": "x"}, 401),
        ({}, 401),
        (request(b""), 400),
        (request(b"x" * (1024**2 + 1)), 413),
    ],
)
def test_what_is_refused_does_not_reach_the_endpoint(
    handler: Handler, event: dict[str, Any], status: int
) -> None:
    with Weather().prevailing() as weather:
        answer = handler(event)

    assert answer["statusCode"] == status
    assert weather.calls == []


@pytest.mark.parametrize(
    ("original", "status", "body"),
    [
        (415, 415, b"It is no picture."),
        (500, 500, b"The model could not answer."),
    ],
)
def test_what_the_model_says_is_told_and_its_failures_are_not(
    handler: Handler, original: int, status: int, body: bytes
) -> None:
    error = refused(
        "ModelError", "…", 424, OriginalStatusCode=original, OriginalMessage="It is no picture."
    )
    with Weather(before={"InvokeEndpoint": error}).prevailing():
        assert said(handler(request())) == (status, body)


def test_an_endpoint_that_is_gone_is_told_without_a_detail(
    handler: Handler, capsys: pytest.CaptureFixture[str]
) -> None:
    gone = refused("ValidationError", "Endpoint cats of account 123456789012 not found.")
    with Weather(before={"InvokeEndpoint": gone}).prevailing():
        answer = said(handler(request()))

    assert answer == (502, b"The endpoint did not answer.")
    assert "not found" in capsys.readouterr().out
