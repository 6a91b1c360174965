"""Handlers in code/inference.py: good ones answer, broken ones are refused or fail in words."""

from __future__ import annotations

import io
import json
import logging
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flask.testing import FlaskClient
from handler_archives import ZOO, archive, flat
from werkzeug.test import TestResponse

from plumbline.archive.handler_code import Whereabouts
from plumbline.archive.handler_errors import HandlerError
from plumbline.client import in_process
from plumbline.engines.fake import FakeEngine
from plumbline.errors import GoldenMismatch
from plumbline.handlers.handler_choice import CodeTerms
from plumbline.loading import loader
from plumbline.loading.loader import load_models
from plumbline.loading.model_registry import Registry
from plumbline.loading.served_model import ServedModel
from plumbline.loading.terms import Terms
from plumbline.pipeline.admission import Admission
from plumbline.settings.server_settings import Settings
from plumbline.web.app import create_app

Handled = Callable[..., FlaskClient]

WHITE = [0.0] * 9 + [1.0]

HALF = [0.0] * 5 + [1.0] + [0.0] * 4


@pytest.fixture(autouse=True)
def imports(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Leave the path and the modules as they were."""
    path, modules = list(sys.path), set(sys.modules)
    monkeypatch.setattr(loader, "load_engine", lambda model, *_: engine_of(model.kind))
    yield
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        if getattr(sys.modules[name], "__file__", None) and "/code/" in str(
            sys.modules[name].__file__
        ):
            del sys.modules[name]


def engine_of(kind: str) -> Any:
    from plumbline.engines.absent import AbsentEngine

    return AbsentEngine() if kind == "code" else FakeEngine()


def load(root: Path, **code: Any) -> Registry:
    terms = Terms(cores=2, engine="tensorflow", most_together=1, code=CodeTerms(**code))
    return load_models(root, terms, lambda _: None)


@pytest.fixture
def handled(tmp_path: Path) -> Handled:
    """A client of an archive with a handler of the zoo."""

    def make(name: str, **settings: Any) -> FlaskClient:
        models = load(archive(tmp_path, name))
        served = ServedModel(lambda _: models)
        served.load(on_failure=lambda: pytest.fail("it did not load"))
        return create_app(served, Admission(2, 4), Settings(**settings)).test_client()

    return make


def post(client: FlaskClient, body: Any, content_type: str, **headers: str) -> TestResponse:
    return client.post("/invocations", data=body, content_type=content_type, headers=headers)


def npy(values: np.ndarray) -> bytes:
    """The array in NumPy's own format."""
    stream = io.BytesIO()
    np.save(stream, values)
    return stream.getvalue()


IMAGE = "application/x-image"
NPY = "application/x-npy"
JSON = "application/json"
INSTANCES = json.dumps({"instances": np.full((1, 32, 32, 3), 0.55).tolist()})

ANSWERS: dict[str, tuple[str, Any, str, str, Any]] = {
    "numbers": ("serving_pass_through", INSTANCES, JSON, JSON, {"predictions": [HALF]}),
    "csv": ("serving_pass_through", "1" + ",1" * 31, "text/csv", JSON, {"predictions": [WHITE]}),
    "picture": ("serving_picture", flat(255), IMAGE, JSON, {"class": 9, "model": "digits"}),
    "base64": ("serving_base64", flat(255), IMAGE, JSON, {"predictions": [WHITE]}),
    "helpers": ("serving_helpers", "55", "text/plain", JSON, {"predictions": [HALF]}),
    "labels": ("serving_labels", npy(np.ones((2, 32, 32, 3))), NPY, JSON, ["label 9"] * 2),
    "public, picture": ("public_picture", flat(255), IMAGE, JSON, {"predictions": [WHITE]}),
    "public, of its types a picture": (
        "public_several_types", flat(255), IMAGE, JSON, {"predictions": [WHITE]},
    ),
    "public, of its types an array": (
        "public_several_types", npy(np.ones((2, 32, 32, 3))), NPY, JSON,
        {"predictions": [WHITE] * 2},
    ),
    "public, of its types JSON": (
        "public_several_types", INSTANCES, JSON, JSON, {"predictions": [HALF]},
    ),
    "public, decoder": ("public_decoder", "[[1, 1]]", JSON, JSON, [[4.0, 6.0]]),
    "public, decoder of arrays": ("public_decoder", npy(np.eye(2)), NPY, JSON, [[1, 2], [3, 4]]),
    "public, errors": (
        "public_errors", '{"dim": 2, "vector": {"1": 3}}', JSON, JSON,
        {"dim": 2, "vector": [0.0, 6.0]},
    ),
    "public, subclass": ("public_subclass", "1,3", "text/csv", JSON, [2, 6, 1, 9]),
    "public, worker": (
        "public_worker", "1,2\n3,4", "text/csv", JSON,
        {"instances": [{"features": [2, 4]}, {"features": [6, 8]}]},
    ),
    "own model": ("toolkit_all", '{"values": [[1, 1]]}', JSON, JSON, {"sums": [[4.0, 6.0]]}),
    "imported": ("toolkit_imported", "[[1, 1]]", JSON, JSON, [[4.0, 6.0]]),
    "defaults": ("toolkit_defaults", "[[1, 2], [3, 4]]", JSON, JSON, [[2, 4], [6, 8]]),
    "transform": ("toolkit_transform", "0.55", "text/csv", JSON, {"best": 5, "as": "text/csv"}),
    "input_fn": ("toolkit_input", bytes([255, 140]), "x/y", JSON, {"predictions": [WHITE, HALF]}),
    "predict_fn": (
        "toolkit_predict", flat(255), IMAGE, JSON,
        {"there": [WHITE], "and back": [WHITE[::-1]]},
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", ANSWERS)
def test_good_handlers_answer(handled: Handled, case: str) -> None:
    name, body, content_type, accept, expected = ANSWERS[case]

    answer = post(handled(name), body, content_type, Accept=accept)

    assert answer.status_code == 200, answer.text
    assert answer.content_type == accept
    assert answer.get_json() == expected


@pytest.mark.parametrize("name", ["public_picture", "public_several_types"])
def test_handlers_of_public_repositories_refuse_in_their_own_words(
    handled: Handled, name: str
) -> None:
    answer = post(handled(name), b"x", "application/pdf")
    assert answer.status_code == 500
    assert answer.get_json() == {"error": 'Error: 415, Unsupported content type "application/pdf"'}


def test_every_request_takes_the_handler_and_the_rest_of_the_pipeline(handled: Handled) -> None:
    answer = post(handled("toolkit_output"), flat(255), IMAGE)

    assert (answer.text, answer.content_type) == ("class [9]", "text/plain")


@pytest.mark.parametrize("accept", ["", "*/*"])
def test_a_type_that_is_any_is_json(handled: Handled, accept: str) -> None:
    client = handled("serving_pass_through")
    assert post(client, INSTANCES, JSON, Accept=accept).content_type == JSON


def test_the_default_of_accept_can_be_set(handled: Handled) -> None:
    client = handled("toolkit_defaults", default_accept="text/csv")
    assert post(client, "[[1, 2], [3, 4]]", JSON).text == "2\n4\n6\n8\n".replace(
        "2\n4", "2,4"
    ).replace("6\n8", "6,8")


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [("text/html, text/csv;q=0.5", "text/csv"), ("text/html, */*;q=0.1", JSON)],
)
def test_by_default_it_is_written_as_the_caller_likes_best(
    handled: Handled, accept: str, content_type: str
) -> None:
    answer = post(handled("toolkit_defaults"), "[[1, 2]]", JSON, Accept=accept)
    assert (answer.status_code, answer.content_type.partition(";")[0]) == (200, content_type)


def test_what_nobody_writes_is_not_acceptable_and_what_nobody_reads_unsupported(
    handled: Handled,
) -> None:
    client = handled("toolkit_defaults")
    assert post(client, "[1]", JSON, Accept="text/html").status_code == 406
    assert post(client, flat(0), IMAGE).status_code == 415
    for body, content_type in (("[[1], [2, 3]]", JSON), ("{", JSON), (b"\xff", "text/csv")):
        assert post(client, body, content_type).status_code == 400
    assert post(client, b"\x93NUMPY", "application/x-npy").status_code == 400


def test_without_a_server_it_is_called_as_well(tmp_path: Path) -> None:
    asked = in_process.load(archive(tmp_path, "serving_rest"), Settings(engine="tensorflow"), 2)
    answer = asked.invoke(INSTANCES.encode(), JSON, JSON, "")
    assert json.loads(answer.body) == {"predictions": [HALF]}


def test_a_handler_of_a_public_document_asks_twice_over_rest(tmp_path: Path) -> None:
    asked = in_process.load(archive(tmp_path, "public_twice"), Settings(engine="tensorflow"), 2)
    answer = asked.invoke(b"0.55", "text/csv", JSON, "")
    seventh = [0.0] * 6 + [1.0] + [0.0] * 3
    assert json.loads(answer.body) == {"first": [HALF], "second": [seventh]}


def test_running_it_leaves_nothing_in_the_archive(tmp_path: Path) -> None:
    root = archive(tmp_path, "serving_helpers")
    before = set(root.rglob("*"))
    load(root)
    assert set(root.rglob("*")) == before


def test_arrays_of_numpy_go_in_and_out_by_default(handled: Handled) -> None:
    answer = post(handled("toolkit_defaults"), npy(np.arange(3)), NPY, Accept=NPY)
    np.testing.assert_array_equal(np.load(io.BytesIO(answer.data)), [0, 2, 4])


def test_the_context_says_what_the_container_of_tensorflow_serving_says(handled: Handled) -> None:
    attributes = "tfs-model-name=digits,tfs-model-version=1,more=x"
    answer = post(
        handled("serving_context"), INSTANCES, JSON,
        **{"X-Amzn-SageMaker-Custom-Attributes": attributes, "Accept": "application/x-mine"},
    )  # fmt: skip

    said = json.loads(answer.text)
    assert 0 < said.pop("timeout") <= 60
    assert said.pop("rest_uri").endswith("/v1/models/digits/versions/1:predict")
    assert said == {
        "model_name": "digits",
        "model_version": "1",
        "method": "predict",
        "grpc_port": "",
        "channel": None,
        "custom_attributes": attributes,
        "request_content_type": JSON,
        "accept_header": "application/x-mine",
        "content_length": len(INSTANCES),
        "status": 200,
    }


@pytest.mark.parametrize("body", ["", "{", '{"instances": [[1, 2]]}', '{"instances": ["x"]}'])
def test_what_tensorflow_serving_refuses_is_the_answer_and_no_output_handler_is_asked(
    handled: Handled, body: str
) -> None:
    """As in SageMaker's container: a handler that returns what it gets would make it a 200."""
    answer = post(handled("serving_context"), body, JSON)
    assert (answer.status_code, list(answer.get_json())) == (400, ["error"])


@pytest.mark.parametrize("name", ["serving_pass_through", "serving_context"])
def test_its_words_reach_the_caller(name: str, handled: Handled) -> None:
    answer = post(handled(name), '{"instances": [[1, 2]]}', JSON)

    assert answer.status_code == 400
    assert "have the shape [1, 2]" in answer.get_json()["error"]


def test_the_toolkits_context_has_the_headers_and_sets_the_type(handled: Handled) -> None:
    answer = post(handled("toolkit_context"), "[1]", JSON, **{"X-Wanted": "this"})

    assert answer.content_type.startswith("text/x-wanted")
    assert json.loads(answer.text) == {"wanted": "this", "type": JSON}


REFUSED = {
    "refused_mixed": "mixes input_handler, output_handler",
    "refused_nothing": "defines no function that is called here",
    "refused_doubled": "defines handler, which does everything, and beside it input_handler",
    "refused_half": "defines output_handler without input_handler",
    "refused_transform_and_parts": "defines transform_fn, which does everything",
    "refused_no_function": "handler is no function; it must be handler(data, context)",
    "refused_too_few": "handler has the parameters (data); it must be handler(data, context)",
    "refused_too_many": "and may take context after them",
    "refused_unknown_parameters": "predict_fn is <built-in function min>, whose parameters Python "
    "does not know; write a function predict_fn(data, model)",
    "refused_asynchronous": "handler is async",
    "refused_generating": "input_handler is a generator",
    "refused_syntax": "code/inference.py, line 4: '(' was never closed",
    "refused_syntax_in_helper": "broken_helper.py, line 1: ",
    "refused_no_module": "code/inference.py, line 3: there is no module a_library_that_nobody_has",
    "refused_raising": "code/inference.py, line 2: KeyError: 'best'",
    "refused_exiting": "code/inference.py, line 3: it calls sys.exit when it is imported",
    "refused_no_model": "model_fn failed: FileNotFoundError: ",
    "refused_useless_model": "model_fn returned a list, which has no predict and can't be called",
    "refused_lacking": "names what is not here: a-library-that-nobody-has==1.0",
    "refused_stand_in": "code/inference.py, line 3: sagemaker_inference.environment.Environment is "
    "not here, only a part of sagemaker_inference",
    "refused_other_name": "code/ has no inference.py; there are serve.py",
}


@pytest.mark.parametrize("name", REFUSED)
def test_broken_handlers_are_refused_when_they_are_loaded(tmp_path: Path, name: str) -> None:
    root = archive(tmp_path, name)
    if name == "refused_no_model":
        (root / "weights.npy").unlink()
    with pytest.raises(HandlerError) as refusal:
        load(root)
    assert REFUSED[name] in refusal.value.message


def test_a_warm_up_without_a_model_of_its_own_is_refused(tmp_path: Path) -> None:
    root = archive(tmp_path, "toolkit_output")
    with (root / "code" / "inference.py").open("a") as file:
        file.write("\n\ndef model_warmup_fn(model_dir, model):\n    pass\n")
    with pytest.raises(HandlerError, match="defines model_warmup_fn without model_fn"):
        load(root)


def test_code_alone_is_an_archive_where_it_imports_its_model_fn(tmp_path: Path) -> None:
    root = archive(tmp_path, "toolkit_imported")
    shutil.rmtree(root / "digits")
    assert load(root).default.pipeline.engine.name == "handler"


HINTS = {
    "import cv2": "opencv-python-headless",
    "raise ImportError('libGL.so.1: cannot open shared object file')": "opencv-python-headless",
    "from tensorflow_serving.apis import predict_pb2": "gRPC is not served here",
    "import tensorflow.keras": "are in the default image, and not in the slim one",
    "from keras.applications import resnet": "are in the default image, and not in the slim one",
    "import nobodys_library": "plumbline pack --code DIR",
}


@pytest.mark.parametrize("line", HINTS)
def test_what_helps_is_said_where_an_import_fails(
    tmp_path: Path, line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("cv2", "keras", "tensorflow"):
        monkeypatch.setitem(sys.modules, module, None)  # as where it is not installed
    root = archive(tmp_path, "refused_nothing")
    (root / "code" / "inference.py").write_text(f"{line}\n")
    with pytest.raises(HandlerError) as refusal:
        load(root)
    assert refusal.value.message.startswith("code/inference.py, line 1: ")
    assert HINTS[line] in refusal.value.message


FAILURES: dict[str, tuple[int, str]] = {
    "fails_raises": (500, "the picture is upside down"),
    "fails_own_key": (500, "KeyError: 'predictions'"),
    "fails_library": (500, "handler failed on this request; the server's log says why"),
    "fails_vendored": (500, "handler failed on this request; the server's log says why"),
    "fails_missing_file": (500, "handler failed on this request; the server's log says why"),
    "fails_falcon": (400, "send a picture of a cat"),
    "fails_werkzeug": (409, "somebody else was quicker"),
    "fails_toolkit_error": (415, "only cats are taken"),
    "fails_stand_in": (500, "sagemaker_inference.decoder for application/x-npz is not here"),
    "fails_unavailable": (503, "come back later"),
    "fails_unnamed_status": (499, "Error"),
    "fails_unnamed_status_line": (529, "come back in a minute"),
    "fails_set_status": (422, "no cat in it"),
    "fails_exits": (500, "handler called sys.exit on this request"),
    "fails_recursion": (500, "maximum recursion depth exceeded"),
    "fails_nothing": (500, "handler returned nothing (None); it must return the body"),
    "fails_dict": (500, "handler returned a dict; it must return the body as str or bytes"),
    "fails_array": (500, "handler returned a ndarray"),
    "fails_number": (500, "handler returned an int"),
    "fails_lazy": (500, "handler returned a generator"),
    "fails_huge": (500, "handler returned 105,906,176 bytes, and at most 104,857,600 are sent"),
    "fails_content_type": (500, "handler returned a content type 'text/html"),
    "fails_body": (500, "input_handler returned an object; it must return a request"),
    "fails_array_body": (500, "input_handler returned a ndarray"),
    "fails_shape": (500, "input_fn gave the model a ndarray of the shape [1, 3], but it takes"),
    "fails_prediction": (500, "predict_fn returned an object, which can't be written as"),
    "fails_grpc": (500, "AttributeError: 'NoneType' object has no attribute 'unary_unary'"),
}


@pytest.mark.parametrize("name", FAILURES)
def test_handlers_that_fail_say_so_without_a_traceback(
    handled: Handled, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    status, words = FAILURES[name]
    client = handled(name)

    answer = post(client, flat(0), IMAGE)

    assert (answer.status_code, words in answer.text) == (status, True), answer.text
    assert len(answer.data) < 2048
    for secret in ("Traceback", "/code/", 'File "', str(ZOO)):
        assert secret not in answer.text
    if status == 500:
        errors = [record for record in caplog.records if record.levelno == logging.ERROR]
        assert [record.exc_info is not None for record in errors] == [True]
    assert client.get("/ping").status_code == 200


def test_the_log_says_where_it_failed(handled: Handled, caplog: pytest.LogCaptureFixture) -> None:
    post(handled("fails_library"), b"x", JSON)

    assert "JSONDecodeError" in caplog.text
    assert 'code/inference.py", line 5, in handler' in caplog.text


def test_every_animal_of_the_zoo_is_shown() -> None:
    tested = {case[0] for case in ANSWERS.values()} | set(REFUSED) | set(FAILURES)
    others = {"serving_context", "serving_rest", "toolkit_context", "toolkit_output"}
    in_processes = {"dangerous", "loops_at_import", "suite_parts", "suite_whole", "detector"}
    in_processes |= {"public_keras", "public_twice"}
    assert {path.name for path in ZOO.iterdir()} == tested | others | in_processes


def golden(root: Path, expected: Any) -> None:
    (root / "golden").mkdir()
    (root / "golden" / "white.png").write_bytes(flat(255))
    np.savez(root / "golden" / "white.png.npz", output=np.asarray(expected))


GOLDEN = {
    "serving_picture": WHITE,
    "serving_base64": WHITE,
    "toolkit_output": WHITE,
}


@pytest.mark.parametrize("name", GOLDEN)
def test_golden_pictures_take_the_handlers_way(tmp_path: Path, name: str) -> None:
    root = archive(tmp_path, name)
    golden(root, GOLDEN[name])
    load(root)


def test_a_handler_that_reads_pictures_otherwise_than_training_is_not_served(
    tmp_path: Path,
) -> None:
    root = archive(tmp_path, "serving_picture")
    file = root / "code" / "inference.py"
    file.write_text(file.read_text().replace("/ 255", "/ 512"))
    golden(root, WHITE)
    with pytest.raises(GoldenMismatch, match=r"white\.png: in output"):
        load(root)


def test_golden_pictures_that_the_handler_does_not_take_are_an_error(tmp_path: Path) -> None:
    root = archive(tmp_path, "toolkit_all")
    golden(root, WHITE)
    with pytest.raises(HandlerError, match="A golden picture can't be checked"):
        load(root)


def test_where_a_handler_computes_all_the_log_says_that_nobody_compared(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    root = archive(tmp_path, "toolkit_transform")
    golden(root, [0.0])
    load(root)
    assert (
        "The golden pictures were not compared: transform_fn computes answers by itself."
        in caplog.messages
    )


@pytest.mark.parametrize("program", ["serve.py", "serve"])
def test_another_name_of_the_file_can_be_set(tmp_path: Path, program: str) -> None:
    root = archive(tmp_path, "refused_other_name")
    load(root, whereabouts=Whereabouts(program))


def test_a_training_script_that_is_not_there_does_not_hide_the_handler(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    root = archive(tmp_path, "toolkit_all")
    with caplog.at_level(logging.INFO):
        load(root, whereabouts=Whereabouts("train.py", "s3://bucket/sourcedir.tar.gz"))
    assert "There is no train.py in code/; inference.py is taken." in caplog.messages
    assert any("s3://bucket/sourcedir.tar.gz is no folder here" in said for said in caplog.messages)


def test_another_folder_can_be_set(tmp_path: Path) -> None:
    root = archive(tmp_path / "model", "refused_nothing")
    load(root, whereabouts=Whereabouts(folder=f"file://{ZOO / 'toolkit_all'}"))


def test_two_archives_do_not_get_each_others_modules(tmp_path: Path) -> None:
    from plumbline.pipeline.stopwatch import Stopwatch
    from plumbline.wire.requests import Request

    first, second = (archive(tmp_path / name, "serving_helpers") for name in ("a", "b"))
    (second / "code" / "helper.py").write_text("def scaled(body):\n    return 1.0\n")
    models = [load(first), load(second)]
    answers = [
        each.default.pipeline(Request(b"55", "text/plain"), lambda: 9.0, Stopwatch()).body
        for each in models
    ]
    assert [json.loads(body)["predictions"][0] for body in answers] == [HALF, WHITE]
