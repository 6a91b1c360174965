"""`plumbline page`: the page's files and answers of an endpoint, for this machine alone."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from click.testing import CliRunner
from flask import Flask
from flask.testing import FlaskClient
from PIL import Image
from sagemaker_runtime import ATTRIBUTES, REGION, listening, sagemaker_for
from served import Pack, Refused, Served

from plumbline.browser_page import about
from plumbline.browser_page.page_files import FILES
from plumbline.cli import main
from plumbline.client import endpoint as endpoints
from plumbline.client.page_command import asking
from plumbline.web.endpoint_page import Elsewhere, app_for


@pytest.fixture
def runtime(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str | None]]:
    """SageMaker with an endpoint "cats"; the variants that it was asked for."""
    variants: list[str | None] = []
    app = Served().client().application
    with listening(sagemaker_for(app, variants)) as found:
        monkeypatch.setenv("AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME", found)
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.setenv(name, "testing")
        yield variants


def page_for(name: str, variant: str | None = None) -> Flask:
    client = endpoints.connect(name, REGION, variant)
    told = about.of_endpoint(name, client.region, variant, client.most_bytes)
    return app_for(Elsewhere(asking(client), told, client.most_bytes))


@pytest.fixture
def cats(runtime: list[str | None]) -> FlaskClient:
    """The page for the variant "blue" of the endpoint "cats"."""
    return page_for("cats", "blue").test_client()


def test_the_endpoint_answers_as_the_container_does(
    cats: FlaskClient, runtime: list[str | None], picture: Image.Image, packed: Pack
) -> None:
    headers = {"Accept": "application/json", ATTRIBUTES: "top_k=2,format=builtin"}
    sent = {"data": packed(picture, "PNG"), "content_type": "image/png", "headers": headers}
    answer: Any = cats.post("/invocations", **sent)
    own: Any = Served().client().post("/invocations", **sent)
    assert (answer.status_code, answer.data) == (200, own.data)
    assert runtime == ["blue"]
    assert answer.headers["Server-Timing"].startswith("endpoint;dur=")


def test_what_the_container_refuses_is_told_in_its_words(
    cats: FlaskClient, refused: Refused
) -> None:
    answer = cats.post("/invocations", data=b"Dear diary", content_type="application/x-image")
    assert "not a picture" in refused(answer, 400, "not_an_image")


def test_an_endpoint_that_is_not_there_is_told(runtime: list[str | None], refused: Refused) -> None:
    answer = (
        page_for("dogs").test_client().post("/invocations", data=b"x", content_type="image/png")
    )
    assert "Endpoint dogs of account 1 not found." in refused(answer, 502, "not_reached")


def test_the_page_is_that_of_the_server(cats: FlaskClient) -> None:
    for path, file in FILES.items():
        assert cats.get(path).data == file.body
    told = json.loads(cats.get("/about").data)
    assert told["endpoint"] == {
        "region": REGION,
        "arguments": {"EndpointName": "cats", "TargetVariant": "blue"},
        "options": ["--endpoint", "cats", "--region", REGION, "--variant", "blue"],
    }


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"Host": "evil.example:8081"}, "foreign_name"),
        ({"Host": "10.0.0.7:8081"}, "foreign_name"),
        ({"Host": "localhost:8081", "Origin": "http://evil.example"}, "foreign_page"),
        ({"Host": "localhost:8081", "Origin": "null"}, "foreign_page"),
    ],
)
def test_nobody_else_is_asked_for_with_the_users_credentials(
    headers: dict[str, str],
    code: str,
    cats: FlaskClient,
    runtime: list[str | None],
    refused: Refused,
) -> None:
    refused(cats.post("/invocations", data=b"x", headers=headers), 403, code)
    for path in ("/", "/about"):
        refused(cats.get(path, headers=headers), 403, code)
    assert runtime == []


def test_a_taken_port_is_told_with_another(runtime: list[str | None]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        options = ("--endpoint", "cats", "--region", REGION, "--port", str(port))
        done = CliRunner().invoke(main, ["page", *options])
    assert done.exit_code == 1
    assert done.stderr == (
        f"Error: The page can't be served on port {port}: Address already in use. Choose another: "
        f"--port {port + 1}.\n"
    )
