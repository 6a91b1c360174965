"""The page as it is sent, what it is built on, and who is refused."""

from __future__ import annotations

import json
import re
import socket
from dataclasses import replace
from typing import Any

import pytest
from flask.testing import FlaskClient
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate
from PIL import Image
from served import Pack, Refused, Serve
from task_engines import Detector, Segmenter

from plumbline.browser_page.page_files import FILES
from plumbline.engines.fake import FakeEngine
from plumbline.loading.served_model import ServedModel
from plumbline.pipeline.admission import Admission
from plumbline.settings.server_settings import Settings
from plumbline.spec.model_spec import ModelSpec
from plumbline.web.app import create_app, create_multi_model_app
from plumbline.web.multi_model_api import ManyModels

PATHS = ("/", "/page.css", "/page.js")

MOST_BYTES = 25 * 1024


@pytest.fixture
def paged(serve: Serve) -> FlaskClient:
    """A client of an app with the page."""
    return serve(page=True)


def test_the_page_is_not_there_unless_it_is_wanted(client: FlaskClient, refused: Refused) -> None:
    assert client.get("/").is_json, "what is here, without a page"
    for path in PATHS[1:]:
        refused(client.get(path), 404, "not_found")


def test_the_page_is_small_and_names_nothing_outside() -> None:
    assert sum(len(file.body) for file in FILES.values()) <= MOST_BYTES
    for file in FILES.values():
        assert re.findall(r"(?:https?:)?//[\w.-]+\.\w+", file.body.decode()) == []


@pytest.mark.parametrize("path", PATHS)
def test_each_file_is_guarded_and_sent_again_only_when_it_has_changed(
    path: str, paged: FlaskClient
) -> None:
    first = paged.get(path)
    assert first.status_code == 200
    policy = first.headers["Content-Security-Policy"].split("; ")
    assert "default-src 'none'" in policy
    assert not re.search(r"unsafe|\*|http", first.headers["Content-Security-Policy"])
    assert first.headers["X-Content-Type-Options"] == "nosniff"
    again = paged.get(path, headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")


def test_a_page_without_inline_program_or_style() -> None:
    text = FILES["/"].body.decode()
    assert re.findall(r"<script(?![^>]*\bsrc=)|<style|\bstyle=|\bon\w+=", text) == []
    assert not re.search(
        "innerHTML|outerHTML|insertAdjacentHTML|document.write|eval",
        FILES["/page.js"].body.decode(),
    )


@pytest.mark.parametrize(
    "host", ["localhost:8080", "127.0.0.1:8080", "[::1]:8080", "plumbline", "192.168.1.7",
             socket.gethostname()]
)  # fmt: skip
def test_the_page_is_shown_under_this_machines_names(host: str, paged: FlaskClient) -> None:
    assert paged.get("/", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("path", ["/", "/page.js", "/about"])
@pytest.mark.parametrize("host", ["evil.example:8080", "127.0.0.1.evil.example", "a.b]", "1.2"])
def test_another_sites_name_for_this_machine_is_refused(
    host: str, path: str, paged: FlaskClient, refused: Refused
) -> None:
    refused(paged.get(path, headers={"Host": host}), 403, "foreign_name")


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://localhost:9999"])
def test_a_page_of_another_site_can_have_nothing_answered(
    origin: str, paged: FlaskClient, refused: Refused, picture: Image.Image, packed: Pack
) -> None:
    headers = {"Origin": origin, "Host": "localhost:8080"}
    for path in ("/v1/models/model:predict", "/execution-parameters", "/nothing"):
        refused(paged.open(path, method="POST", headers=headers, data=b"{}"), 403, "foreign_page")
    answer = paged.post("/invocations", data=packed(picture, "PNG"), headers=headers)
    refused(answer, 403, "foreign_page")
    headers["Origin"] = "http://localhost:8080"
    answer = paged.post("/invocations", data=packed(picture, "PNG"), headers=headers)
    assert answer.status_code == 200


def test_without_the_page_nobody_is_asked_where_a_request_comes_from(
    client: FlaskClient, picture: Image.Image, packed: Pack
) -> None:
    headers = {"Origin": "http://evil.example", "Host": "model.example"}
    answer = client.post("/invocations", data=packed(picture, "PNG"), headers=headers)
    assert answer.status_code == 200
    assert "Server-Timing" not in answer.headers


# -- about -------------------------------------------------------------------------------------


def about(client: FlaskClient) -> dict[str, Any]:
    answer = client.get("/about")
    assert answer.status_code == 200
    document: dict[str, Any] = json.loads(answer.data)
    return document


def test_about_tells_what_is_served(serve: Serve) -> None:
    labels = ("bee", "wasp", "fly", "ant")
    told = about(serve(engine=Detector(), spec=ModelSpec("detection", labels), labels=labels))
    assert (told["state"], told["models"], told["title"]) == ("ready", ["model/1"], "model/1")
    model = told["model"]
    assert (model["task"], model["labels"], model["size"]) == ("detection", [*labels], [32, 32])
    assert (model["engine"], model["turned"], model["golden"]) == ("fake", True, None)
    assert ["labels", "4: bee, wasp, fly, ant"] in told["facts"]
    assert len(told["colors"]) == len(told["inks"]) == 255


def test_about_tells_the_declared_colours(serve: Serve) -> None:
    spec = ModelSpec("segmentation")
    colors = replace(spec.segmentation, palette=((0, 0, 0), (220, 20, 60)))
    told = about(serve(engine=Segmenter(), spec=replace(spec, segmentation=colors)))
    assert (told["colors"], told["inks"]) == (["#000000", "#dc143c"], ["#ffffff", "#ffffff"])


def test_about_answers_before_the_model_does() -> None:
    model = ServedModel(lambda _: pytest.fail("it is not to be loaded"))
    told = about(create_app(model, Admission(1, 1), Settings()).test_client())
    assert (told["state"], told["model"], told["archive"]) == ("loading", None, None)
    assert told["reason"] == "The model is waiting to be loaded."


def test_about_says_why_a_model_takes_no_pictures(serve: Serve) -> None:
    told = about(serve(engine=Flat(), spec=ModelSpec("raw")))
    assert told["model"]["no_pictures"].startswith("The model's input is")
    assert (told["model"]["size"], told["model"]["turned"]) == (None, False)


class Flat(FakeEngine):
    """A model of four numbers."""

    @property
    def signature(self) -> Any:
        found = super().signature
        (own,) = found.inputs
        return replace(found, inputs=(replace(own, shape=(None, 4)),))


# -- openapi -----------------------------------------------------------------------------------


def described(client: FlaskClient) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(client.get("/openapi.json").data)
    return document


def methods_of(client: FlaskClient) -> set[tuple[str, str]]:
    """What the app answers, as OpenAPI writes it, but for TensorFlow Serving's paths."""
    rules = [rule for rule in client.application.url_map.iter_rules() if "/v1/" not in rule.rule]
    return {
        (re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule), method.lower())
        for rule in rules
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }


@pytest.mark.parametrize("page", [False, True])
def test_openapi_describes_all_that_is_answered(page: bool, serve: Serve) -> None:
    client = serve(page=page)
    document = described(client)
    validate(document)
    told = {
        (path, method)
        for path, said in document["paths"].items()
        for method in said
        if not path.startswith("/v1/") and method != "parameters"
    }
    assert told == methods_of(client)
    assert len([path for path in document["paths"] if path.startswith("/v1/")]) == 5


def test_the_contract_of_many_models_is_described_too() -> None:
    many = ManyModels(None, *(Admission(1, 1),) * 3, Settings(), 0)  # type: ignore[arg-type]
    client = create_multi_model_app(many).test_client()
    document = described(client)
    validate(document)
    told = {(path, way) for path, said in document["paths"].items() for way in said}
    assert {each for each in told if each[1] != "parameters"} == methods_of(client)


def test_about_is_as_openapi_says(paged: FlaskClient) -> None:
    document = described(paged)
    schema = {"$ref": "#/components/schemas/About", "components": document["components"]}
    Draft202012Validator(schema).validate(about(paged))
