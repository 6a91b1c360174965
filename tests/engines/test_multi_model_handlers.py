"""Handlers in models' own processes."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from plumbline.machine.cgroups import machine
from plumbline.settings.server_settings import Settings
from plumbline.web.app import create_multi_model_app
from plumbline.web.multi_model_api import many_models
from plumbline.web.wsgi import LOADER

OWN = """
import os
import time
from pathlib import Path


def model_fn(model_dir):
    return Path(model_dir).parent.name


def transform_fn(model, data, content_type, accept):
    if data == b"hang":
        time.sleep(3600)
    if data == b"end":
        os._exit(3)
    return f"{model} by its own", "text/plain"
"""

COMMON = OWN.replace("its own", "the one of all")


@pytest.fixture(scope="module")
def client() -> Iterator[FlaskClient]:
    """A client of a service with a deadline of three seconds."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(Path(__file__).parents[2] / "container"))
        settings = Settings(multi_model=True, deadline=3.0)
        service = many_models(settings, settings.sizes(machine()), LOADER, None)
        yield create_multi_model_app(service).test_client()
        service.hosts.close()


def load(client: FlaskClient, models: Path, name: str, code: str | None) -> None:
    """Load a model as SageMaker lays it out, with this handler of its own or none."""
    folder = models / name / "model"
    folder.mkdir(parents=True)
    if code:
        (folder / "code").mkdir()
        (folder / "code/inference.py").write_text(code)
    asked = json.dumps({"model_name": name, "url": str(folder)})
    answer = client.post("/models", data=asked)
    assert answer.status_code == 200, answer.text


def ask(client: FlaskClient, name: str, body: bytes = b"x") -> TestResponse:
    """The answer to any bytes."""
    return client.post(f"/models/{name}/invoke", data=body, content_type="image/jpeg")


def test_each_model_is_handled_by_its_own_code_or_by_that_of_all(
    client: FlaskClient, tmp_path: Path
) -> None:
    (tmp_path / "code").mkdir()
    (tmp_path / "code/inference.py").write_text(COMMON)
    load(client, tmp_path, "a", OWN)
    load(client, tmp_path, "b", None)
    load(client, tmp_path, "c", OWN)

    assert ask(client, "a").text == "a by its own"
    assert ask(client, "b").text == "b by the one of all"
    assert ask(client, "c").text == "c by its own"


@pytest.mark.parametrize("name", ["near", "far/down/below"])
def test_the_handler_of_all_is_in_one_of_two_folders_however_deep_a_model_is(
    name: str, client: FlaskClient, tmp_path: Path
) -> None:
    """As /opt/ml/code and /opt/ml/models/code; a folder without the file is passed over."""
    first, second = tmp_path / "ml/code", tmp_path / "ml/models/code"
    for folder in (first, second):
        folder.mkdir(parents=True)
    (second / "inference.py").write_text(COMMON.replace("of all", "of the second folder"))
    load(client, tmp_path / "ml/models", name, None)
    assert ask(client, name).text.endswith(" by the one of the second folder")

    assert client.delete(f"/models/{name}").status_code == 200
    (first / "inference.py").write_text(COMMON.replace("of all", "of the first folder"))
    load(client, tmp_path / "ml/models/more", name, None)
    assert ask(client, name).text.endswith(" by the one of the first folder")


def test_code_that_ends_its_process_or_hangs_harms_no_other_model(
    client: FlaskClient, tmp_path: Path
) -> None:
    load(client, tmp_path, "bad", OWN)
    load(client, tmp_path, "good", OWN)
    assert ask(client, "bad").text == "bad by its own"

    assert ask(client, "bad", b"end").status_code == 500
    wait_for_answer(client, "bad")
    before = client.get("/models/bad").json["pid"]
    with ThreadPoolExecutor(4) as pool:
        hung = list(pool.map(lambda _: ask(client, "bad", b"hang").status_code, range(4)))
    assert set(hung) <= {500, 503}
    wait_for_answer(client, "bad")

    assert client.get("/models/bad").json["pid"] != before
    assert ask(client, "good").text == "good by its own"
    assert client.get("/models/good").json["errors"] == 0


def wait_for_answer(client: FlaskClient, name: str) -> None:
    """Until the model answers again."""
    end = time.monotonic() + 60
    while (answer := ask(client, name)).status_code != 200:
        assert answer.status_code in (500, 503), answer.text
        assert time.monotonic() < end
        time.sleep(0.1)
    assert answer.text == f"{name} by its own"
