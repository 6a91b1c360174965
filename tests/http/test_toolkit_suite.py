"""What SageMaker's inference toolkit is tested with, as questions to a server of ours.

The cases are those of the public unit tests of aws/sagemaker-inference-toolkit (transformer,
decoder, encoder, default handler, utilities), with the answers that they demand. Where an answer is
otherwise here, docs/handlers.md says so.
"""

from __future__ import annotations

import io
import itertools
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from plumbline.archive.handler_errors import HandlerError
from plumbline.loading.loader import load_models
from plumbline.loading.served_model import ServedModel
from plumbline.loading.terms import Terms
from plumbline.pipeline.admission import Admission
from plumbline.settings.server_settings import Settings
from plumbline.web.app import create_app

Serve = Callable[..., FlaskClient]

JSON, CSV, NPY = "application/json", "text/csv", "application/x-npy"

TARGETS: dict[str, Any] = {
    "whole numbers": [42, 6, 9],
    "numbers": [42.0, 6.0, 9.0],
    "texts": ["42", "6", "9"],
}

JSONS = ["[42, 6, 9]", "[42.0, 6.0, 9.0]", '["42", "6", "9"]']
CSVS = ["42\n6\n9\n", "42.0\n6.0\n9.0\n", "42\n6\n9\n"]

MODEL = "import json\n\ndef model_fn(model_dir):\n    return 'foo'\n\n"

SHOWN = "json.dumps([repr(one) for one in ({})])"
"""What a function was called with, as its answer."""


@pytest.fixture(autouse=True)
def imports() -> Iterator[None]:
    """Leave the path as it was."""
    path = list(sys.path)
    yield
    sys.path[:] = path
    sys.modules.pop("inference", None)


@pytest.fixture
def serve(tmp_path: Path) -> Serve:
    """A client of a server of this code alone."""

    def make(code: str, **settings: Any) -> FlaskClient:
        (tmp_path / "code").mkdir(exist_ok=True)
        (tmp_path / "code" / "inference.py").write_text(code)
        models = load_models(tmp_path, Terms(cores=2), lambda _: None)
        served = ServedModel(lambda _: models)
        served.load(on_failure=lambda: pytest.fail("it did not load"))
        return create_app(served, Admission(2, 4), Settings(**settings)).test_client()

    return make


def ask(client: FlaskClient, body: Any, **headers: str) -> TestResponse:
    """The answer to a body."""
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    return client.post("/invocations", data=body, headers=named)


TRANSFORM = (
    f"{MODEL}def transform_fn(model, data, content_type, accept):\n"
    f"    return {SHOWN.format('model, data, content_type, accept')}\n"
)


@pytest.mark.parametrize("key", ["Accept", "accept"])
@pytest.mark.parametrize("kind", ["Content-Type", "Content-type", "content-type"])
def test_headers_are_known_however_they_are_written(serve: Serve, key: str, kind: str) -> None:
    answer = ask(serve(TRANSFORM), b"input_data", **{key: "any/accept", kind: "any/type"})
    assert answer.content_type == "any/accept"
    assert answer.get_data(as_text=True) == json.dumps(
        ["'foo'", "b'input_data'", "'any/type'", "'any/accept'"]
    )


@pytest.mark.parametrize("accept", [{}, {"Accept": "*/*"}], ids=["none", "any"])
@pytest.mark.parametrize("default", ["", "any/default"])
def test_what_accepts_anything_gets_the_default(
    serve: Serve, accept: dict[str, str], default: str
) -> None:
    client = serve(TRANSFORM, default_accept=default)
    answer = ask(client, b"x", Content_Type="any/type", **accept)
    assert answer.content_type == (default or JSON)
    assert json.loads(answer.data)[-1] == repr(default or JSON)


@pytest.mark.parametrize(
    ("kind", "data"), [(JSON, "'ü'"), (CSV, "'ü'"), ("any/type", repr("ü".encode()))]
)
def test_texts_reach_functions_as_texts_and_all_else_as_bytes(
    serve: Serve, kind: str, data: str
) -> None:
    answer = ask(serve(TRANSFORM), "ü".encode(), Content_Type=kind, Accept="any/accept")
    assert json.loads(answer.data)[1] == data


def test_a_pair_is_the_answer_and_its_type(serve: Serve) -> None:
    code = f"{MODEL}def transform_fn(*_):\n    return 'result', 'any/other'\n"
    answer = ask(serve(code), b"x", Accept="any/accept")
    assert (answer.text, answer.content_type) == ("result", "any/other")


def test_the_model_is_loaded_once_from_the_folder_of_the_archive(
    serve: Serve, tmp_path: Path
) -> None:
    code = (
        "calls = []\n\ndef model_fn(model_dir):\n    calls.append(model_dir)\n    return calls\n\n"
        "def transform_fn(model, *_):\n    return ' '.join(model)\n"
    )
    client = serve(code)
    assert [ask(client, b"x").text for _ in range(2)] == [str(tmp_path)] * 2


def test_what_comes_before_the_model_and_warms_it_up_is_called_once_and_in_order(
    serve: Serve, tmp_path: Path
) -> None:
    code = (
        "calls = []\n\ndef pre_model_fn(model_dir):\n    calls.append(model_dir)\n\n"
        "def model_fn(model_dir):\n    return [*calls, 'foo']\n\n"
        "def model_warmup_fn(model_dir, model, context):\n    model.append('warm')\n\n"
        "def transform_fn(model, *_):\n    return ' '.join(model)\n"
    )
    client = serve(code)
    assert [ask(client, b"x").text for _ in range(2)] == [f"{tmp_path} foo warm"] * 2


FAILING = {
    "pre_model_fn": "def pre_model_fn(model_dir):\n    raise ValueError('Foo')\n",
    "model_warmup_fn": "def model_warmup_fn(model_dir, model):\n    raise ValueError('Foo')\n",
}


@pytest.mark.parametrize("name", FAILING)
def test_one_of_these_that_fails_ends_the_loading(serve: Serve, name: str) -> None:
    with pytest.raises(HandlerError, match=f"{name} failed: ValueError: Foo"):
        serve(TRANSFORM + FAILING[name])


PARTS = {
    "input_fn": "def input_fn(data, content_type):\n    return data\n",
    "predict_fn": "def predict_fn(data, model):\n    return data\n",
    "output_fn": "def output_fn(prediction, accept):\n    return prediction\n",
}


@pytest.mark.parametrize(
    "parts",
    [some for count in (1, 2, 3) for some in itertools.combinations(PARTS, count)],
    ids="+".join,
)
def test_transform_fn_beside_its_parts_is_refused(serve: Serve, parts: tuple[str, ...]) -> None:
    with pytest.raises(
        HandlerError, match="defines transform_fn, which does everything"
    ) as refusal:
        serve(TRANSFORM + "".join(map(PARTS.__getitem__, parts)))
    assert all(part in refusal.value.message for part in parts)


def test_each_function_gets_what_the_one_before_it_returned(serve: Serve) -> None:
    code = MODEL + (
        "def input_fn(data, content_type):\n    return [data, content_type]\n\n"
        "def predict_fn(data, model):\n    return [*data, model]\n\n"
        "def output_fn(prediction, accept):\n    return ' '.join([*prediction, accept])\n"
    )
    answer = ask(serve(code), b"input_data", Content_Type=CSV, Accept="any/accept")
    assert answer.text == "input_data text/csv foo any/accept"


WITH_CONTEXT = (
    "import json\n\ndef model_fn(model_dir, context):\n"
    "    return context.system_properties['model_dir'] == model_dir\n\n"
    "def input_fn(data, content_type, context):\n"
    "    return [context.request_processor[0].get_request_properties()['X-Wanted']]\n\n"
    "def predict_fn(data, model, context):\n"
    "    return [*data, model, context.get_request_header(0, 'x-wanted')]\n\n"
    "def output_fn(prediction, accept, context):\n"
    "    context.set_response_content_type(0, 'any/other')\n    return json.dumps(prediction)\n"
)


def test_every_function_may_take_the_context(serve: Serve) -> None:
    answer = ask(serve(WITH_CONTEXT), b"x", Content_Type="any/type", X_Wanted="this")
    assert (json.loads(answer.data), answer.content_type) == (["this", True, "this"], "any/other")


@pytest.mark.parametrize("parameters", ["a", "a, b, c, d"])
def test_a_function_of_other_parameters_is_refused(serve: Serve, parameters: str) -> None:
    with pytest.raises(HandlerError, match="predict_fn has the parameters"):
        serve(f"{MODEL}def predict_fn({parameters}):\n    return 1\n")


ERRORS = {
    "of any kind": ("ValueError('Foo')", 500),
    "of the toolkit": ("Refusal(403, 'Foo', 'phrase')", 403),
}


@pytest.mark.parametrize(("error", "status"), ERRORS.values(), ids=ERRORS)
def test_an_error_has_its_status_and_its_words(serve: Serve, error: str, status: int) -> None:
    code = MODEL + (
        "class Refusal(Exception):\n    def __init__(self, status_code, message, phrase):\n"
        "        self.status_code, self.message, self.phrase = status_code, message, phrase\n\n"
        f"def transform_fn(*_):\n    raise {error}\n"
    )
    answer = ask(serve(code), b"x")
    assert (answer.status_code, answer.get_json()["error"]["message"]) == (status, "Foo")


SEEN = MODEL + (
    "def predict_fn(data, model):\n    return [data.dtype.kind, data.tolist()]\n\n"
    "def output_fn(prediction, accept):\n    return json.dumps(prediction)\n"
)
"""Shows what was read by default."""


def as_npy(target: Any) -> bytes:
    """An array as NumPy saves it."""
    stream = io.BytesIO()
    np.save(stream, np.array(target))
    return stream.getvalue()


@pytest.mark.parametrize("target", [[42, 6, 9], [42.0, 6.0, 9.0]])
def test_arrays_of_numbers_are_read_by_default(serve: Serve, target: Any) -> None:
    found = json.loads(ask(serve(SEEN), as_npy(target), Content_Type=NPY).data)
    assert found == [np.array(target).dtype.kind, target]


@pytest.mark.parametrize("target", [["42", "6", "9"], {42: {"6": 9.0}}], ids=["texts", "pickled"])
def test_arrays_of_anything_else_are_refused(serve: Serve, target: Any) -> None:
    assert ask(serve(SEEN), as_npy(target), Content_Type=NPY).status_code == 400


@pytest.mark.parametrize(
    ("body", "target"), [*zip(JSONS, TARGETS.values(), strict=True)], ids=TARGETS
)
def test_json_is_read_by_default(serve: Serve, body: str, target: Any) -> None:
    found = json.loads(ask(serve(SEEN), body, Content_Type=JSON).data)
    assert found == [np.array(target).dtype.kind, target]


@pytest.mark.parametrize("body", CSVS)
def test_csv_is_read_as_numbers_by_default(serve: Serve, body: str) -> None:
    found = json.loads(ask(serve(SEEN), body, Content_Type=CSV).data)
    assert found == ["f", [42.0, 6.0, 9.0]]


def test_what_has_no_default_is_refused_until_a_function_reads_or_writes_it(serve: Serve) -> None:
    octets = "application/octet-stream"
    assert ask(serve(SEEN), b"42", Content_Type=octets).status_code == 415
    code = f"{MODEL}def predict_fn(data, model):\n    return data\n"
    assert ask(serve(code), "[42]", Content_Type=JSON, Accept=octets).status_code == 406
    own = "".join(map(PARTS.__getitem__, ("input_fn", "output_fn")))
    answer = ask(serve(code + own), b"42", Content_Type=octets, Accept=octets)
    assert (answer.data, answer.content_type) == (b"42", octets)


def returning(value: str) -> str:
    """Code whose predictions are this."""
    return f"import numpy as np\n{MODEL}def predict_fn(data, model):\n    return {value}\n"


def written(client: FlaskClient, accept: str) -> bytes:
    """What is written by default."""
    answer = ask(client, "[1]", Content_Type=JSON, Accept=accept)
    assert (answer.status_code, answer.content_type.partition(";")[0]) == (200, accept), answer.text
    return answer.data


both = pytest.mark.parametrize("form", ["{}", "np.array({})"], ids=["a list", "an array"])


@both
@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
def test_arrays_are_written_by_default(serve: Serve, form: str, target: Any) -> None:
    found = np.load(io.BytesIO(written(serve(returning(form.format(target))), NPY)))
    np.testing.assert_array_equal(found, np.array(target))


@both
@pytest.mark.parametrize("target", [*TARGETS.values(), {42: {"6": 9.0}}], ids=[*TARGETS, "by key"])
def test_json_is_written_by_default(serve: Serve, form: str, target: Any) -> None:
    found = json.loads(written(serve(returning(form.format(target))), JSON))
    assert found == json.loads(json.dumps(target))


@both
@pytest.mark.parametrize(
    ("target", "expected"), [*zip(TARGETS.values(), CSVS, strict=True)], ids=TARGETS
)
def test_csv_is_written_by_default(serve: Serve, form: str, target: Any, expected: str) -> None:
    assert written(serve(returning(form.format(target))), CSV).decode() == expected


def test_what_can_not_be_written_is_an_error_of_the_handler(serve: Serve) -> None:
    answer = ask(serve(returning("lambda x: 3")), "[1]", Content_Type=JSON)
    assert answer.status_code == 500
    assert "which can't be written as application/json" in answer.text
