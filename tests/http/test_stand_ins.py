"""What handlers import of SageMaker's own packages, where these are not installed."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from flask.testing import FlaskClient
from handler_archives import ZOO

from plumbline.archive.handler_errors import HandlerError
from plumbline.cli import main
from plumbline.loading.loader import load_models
from plumbline.loading.served_model import ServedModel
from plumbline.loading.terms import Terms
from plumbline.pipeline.admission import Admission
from plumbline.settings.server_settings import Settings
from plumbline.web.app import create_app

Serve = Callable[..., FlaskClient]

JSON, CSV, NPY, OCTETS = ("application/json", "text/csv", "application/x-npy", "octet/stream")

MODEL = "def model_fn(model_dir):\n    return 'foo'\n\n"


@pytest.fixture(autouse=True)
def imports() -> Iterator[None]:
    """Leave the path and the modules as they were."""
    path = list(sys.path)
    yield
    sys.path[:] = path
    for name in [*sys.modules]:
        if name.startswith(("sagemaker_inference", "sagemaker_containers", "inference")):
            del sys.modules[name]


def write(root: Path, code: str) -> Path:
    """An archive of code alone: the zoo's, or this text."""
    folder = root / "code"
    folder.mkdir(parents=True, exist_ok=True)
    known = ZOO / code / "inference.py" if code.isidentifier() else None
    (folder / "inference.py").write_text(known.read_text() if known else code)
    return root


@pytest.fixture
def serve(tmp_path: Path) -> Serve:
    """A client of a server of this code alone."""

    def make(code: str, root: Path = tmp_path) -> FlaskClient:
        models = load_models(write(root, code), Terms(cores=2), lambda _: None)
        served = ServedModel(lambda _: models)
        served.load(on_failure=lambda: pytest.fail("it did not load"))
        return create_app(served, Admission(2, 4), Settings()).test_client()

    return make


def refused(root: Path, code: str) -> str:
    """Why code is not loaded."""
    with pytest.raises(HandlerError) as refusal:
        load_models(write(root, code), Terms(cores=2), lambda _: None)
    return refusal.value.message


def ask(client: FlaskClient, body: Any, kind: str = JSON, accept: str = JSON) -> tuple[int, str]:
    """The status and the body of an answer."""
    headers = {"Content-Type": kind, "Accept": accept}
    answer = client.post("/invocations", data=body, headers=headers)
    return answer.status_code, answer.text


REFUSALS = {
    "no JSON": ("public_subclass", "{", JSON, JSON, 400, "The body is no JSON"),
    "no CSV": ("public_subclass", "1,2\n3", CSV, JSON, 400, "The body is no CSV"),
    "no array": ("public_subclass", b"x", NPY, JSON, 400, "not an array in NumPy's format"),
    "no such reading": ("public_subclass", b"x", OCTETS, JSON, 415, f"The type {OCTETS} is"),
    "no such writing": ("public_subclass", "[1]", JSON, OCTETS, 406, f"The type {OCTETS} is"),
    "an own error": ("public_errors", "{}", JSON, JSON, 400, "payloads must have the keys"),
    "an own 415": ("public_errors", "1", CSV, JSON, 415, "The type text/csv is"),
    "a worker's 406": ("public_worker", "1,2", CSV, OCTETS, 406, "no such answer"),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_what_the_caller_can_mend_is_told_to_the_caller(serve: Serve, case: str) -> None:
    code, body, kind, accept, status, words = REFUSALS[case]
    found, text = ask(serve(code), body, kind, accept)
    assert (found, words in text) == (status, True), text


READ: dict[str, tuple[str, str, Any]] = {
    "whole numbers": (JSON, "[1, 2]", ["i", [1, 2]]),
    "an object": (JSON, '{"a": 1}', ["O", {"a": 1}]),
    "parameters": (f"{JSON}; charset=utf-8", "[1.5]", ["f", [1.5]]),
    "whole numbers in lines": (CSV, "1,2\n3,4", ["i", [[1, 2], [3, 4]]]),
    "texts in lines": (CSV, "a,b\nc,d", ["U", [["a", "b"], ["c", "d"]]]),
    "lines of both": (CSV, "1,a\n2,b", ["V", [[1, "a"], [2, "b"]]]),
}


@pytest.mark.parametrize("case", READ)
def test_bodies_are_decoded_as_the_toolkit_does(serve: Serve, case: str) -> None:
    kind, body, expected = READ[case]
    client = serve(
        f"import json\nfrom sagemaker_inference.decoder import decode\n{MODEL}"
        "def transform_fn(model, data, content_type, accept):\n"
        "    made = decode(data, content_type)\n"
        "    return json.dumps([made.dtype.kind, made.tolist()])\n"
    )
    status, text = ask(client, body, kind)
    assert (status, json.loads(text)) == (200, expected)


def test_text_is_encoded_as_text_and_arrays_as_bytes(serve: Serve) -> None:
    client = serve(
        f"import numpy as np\nfrom sagemaker_inference import content_types, encoder\n{MODEL}"
        "def transform_fn(model, data, content_type, accept):\n"
        "    kinds = content_types.UTF8_TYPES + [content_types.NPY]\n"
        "    return repr([encoder.encode(np.array([1, 2]), kind)[:6] for kind in kinds])\n"
    )
    assert ask(client, "[]") == (200, repr(["[1,2]", "1\n2\n", b"\x93NUMPY"]))


def test_a_handler_catches_what_the_decoder_raises_as_the_toolkit_does(serve: Serve) -> None:
    client = serve(
        f"from sagemaker_inference import decoder, errors\n{MODEL}"
        "def transform_fn(model, data, content_type, accept):\n"
        "    try:\n        return decoder.decode(data, content_type)\n"
        "    except errors.UnsupportedFormatError:\n        return 'unsupported'\n"
        "    except ValueError:\n        return 'no value'\n"
    )
    answers = [ask(client, "{", kind)[1] for kind in (JSON, OCTETS)]
    assert answers == ["no value", "unsupported"]


def test_the_helpers_do_what_the_toolkits_do(serve: Serve, tmp_path: Path) -> None:
    client = serve(
        f"from sagemaker_inference import utils\n{MODEL}"
        "def transform_fn(model, data, content_type, accept, context):\n"
        f"    utils.write_file({str(tmp_path / 'x')!r}, utils.remove_crlf(data))\n"
        "    properties = context.get_request_properties()\n"
        f"    return (utils.read_file({str(tmp_path / 'x')!r})\n"
        "        + ' ' + utils.retrieve_content_type_header(properties)\n"
        "        + ' ' + str(utils.parse_accept('a/b, c/d'))\n"
        "        + ' ' + str(utils.retrieve_content_type_header({})))\n"
    )
    assert ask(client, "a\nb", CSV) == (200, "a b text/csv ['a/b', 'c/d'] None")


LACKING = {
    "import sagemaker_inference.unheard": "sagemaker_inference.unheard",
    "from sagemaker_inference import unheard": "sagemaker_inference.unheard",
    "from sagemaker_inference.utils import unheard": "sagemaker_inference.utils.unheard",
    "import sagemaker_inference as s; s.decoder.unheard": "sagemaker_inference.decoder.unheard",
    "from sagemaker_inference import model_server as m; m.start_model_server()": (
        "sagemaker_inference.model_server.start_model_server"
    ),
    "from sagemaker_containers.beta.framework import env; env.ServingEnv()": (
        "sagemaker_containers.beta.framework.env.ServingEnv"
    ),
}


@pytest.mark.parametrize("line", LACKING)
def test_what_a_stand_in_lacks_is_refused_with_what_to_do(tmp_path: Path, line: str) -> None:
    message = refused(tmp_path, f"{line}\n{MODEL}")
    package = line.replace("_", "-").split(".")[0].split()[1]
    assert message.startswith(f"code/inference.py, line 1: {LACKING[line]} is not here, ")
    assert f"pip wheel --no-deps --wheel-dir code/wheels {package}," in message
    assert "plumbline pack --code DIR" in message


def test_code_that_can_do_without_does(serve: Serve) -> None:
    client = serve(
        "try:\n    from sagemaker_inference.unheard import decode\n"
        f"except ImportError:\n    decode = None\n{MODEL}"
        "def transform_fn(model, data, content_type, accept):\n    return str(decode)\n"
    )
    assert ask(client, "[]") == (200, "None")


def test_a_service_of_the_toolkit_is_never_asked_and_says_so(tmp_path: Path) -> None:
    code = (ZOO / "public_subclass" / "inference.py").read_text()
    message = refused(tmp_path, f"{code}\n_service.initialize(None)\n")
    assert "HandlerService.initialize is not here: the server itself calls model_fn" in message


def test_the_default_of_model_fn_says_what_to_define(tmp_path: Path) -> None:
    message = refused(
        tmp_path,
        "from sagemaker_inference.default_inference_handler import DefaultInferenceHandler\n"
        "model_fn = DefaultInferenceHandler().default_model_fn\n",
    )
    assert "define model_fn(model_dir); or leave it out" in message


def test_a_model_that_can_not_be_called_is_told(serve: Serve) -> None:
    client = serve(
        "from sagemaker_inference.default_inference_handler import DefaultInferenceHandler\n"
        f"{MODEL}predict_fn = DefaultInferenceHandler().default_predict_fn\n"
    )
    status, text = ask(client, "[1]")
    assert (status, "The model is a str, which has no predict" in text) == (500, True)


SEEN = (
    f"from sagemaker_inference import decoder\n{MODEL}"
    "def transform_fn(model, data, content_type, accept):\n"
    "    return str(decoder.decode(data, 'x/y'))\n"
)


def test_the_real_package_in_lib_goes_before(serve: Serve, tmp_path: Path) -> None:
    without, brought = tmp_path / "a", tmp_path / "b"
    real = brought / "code" / "lib" / "sagemaker_inference"
    real.mkdir(parents=True)
    (real / "__init__.py").write_text("")
    (real / "decoder.py").write_text("def decode(data, kind):\n    return 'the real one'\n")

    clients = [serve(SEEN, root) for root in (without, brought)]

    assert [ask(client, "[1]")[0] for client in clients] == [415, 200]
    assert ask(clients[1], "[1]") == (200, "the real one")
    message = refused(brought, f"from sagemaker_inference import encoder\n{MODEL}")
    assert "ImportError: cannot import name 'encoder'" in message


def test_nothing_of_it_is_imported_before_a_handler_asks(tmp_path: Path) -> None:
    root = write(tmp_path, f"{MODEL}def predict_fn(data, model):\n    return data\n")
    script = (
        "import sys\nfrom pathlib import Path\n"
        "from plumbline.loading.loader import load_models\n"
        "from plumbline.loading.terms import Terms\n"
        f"load_models(Path({str(root)!r}), Terms(cores=2), lambda _: None)\n"
        "print(*sorted(name for name in sys.modules if '.stand_ins.' in name))\n"
    )
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert done.stdout.split() == [
        "plumbline.handlers.stand_ins.finder",
        "plumbline.handlers.stand_ins.toolkit_errors",
    ]


PUBLIC = {
    "public_decoder": ["model_fn", "input_fn", "predict_fn", "output_fn"],
    "public_errors": ["model_fn", "input_fn", "predict_fn", "output_fn"],
    "public_subclass": ["model_fn", "input_fn", "predict_fn", "output_fn"],
    "public_worker": ["model_fn", "input_fn", "output_fn"],
}


@pytest.mark.parametrize("name", PUBLIC)
def test_inspection_names_their_functions(tmp_path: Path, name: str) -> None:
    done = CliRunner().invoke(main, ["inspect", str(write(tmp_path, name)), "--json"])

    assert done.exit_code == 0, done.output
    assert list(json.loads(done.output)["handler"]["replaces"]) == PUBLIC[name]
