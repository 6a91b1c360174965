"""TensorFlow Serving's forms before real SavedModels: signatures, inputs, strings, dtypes, axes."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from plumbline.errors import InputRefused, InvalidInstances, PlumblineError
from plumbline.loading.loader import load_models
from plumbline.loading.terms import Terms
from plumbline.pipeline.stages import Pipeline
from plumbline.pipeline.stopwatch import Stopwatch
from plumbline.wire.requests import Request
from plumbline.wire.responses import encode_error

pytestmark = pytest.mark.tensorflow

Ask = Callable[..., Any]


def half_plus_three(folder: Path) -> None:
    """The toy model of TensorFlow Serving's documentation, and signatures of every other kind."""
    import tensorflow as tf

    def tensor(dtype: str, *shape: int | None, name: str = "x") -> Any:
        return tf.TensorSpec(shape, tf.as_dtype(dtype), name)

    signatures: dict[str, tuple[list[Any], Callable[..., dict[str, Any]]]] = {
        "serving_default": ([tensor("float32", None)], lambda x: {"y": x / 2 + 3}),
        "described": (
            [
                tensor("string", None, name="tag"),
                tensor("int32", None, 5, name="signal"),
                tensor("float32", None, 2, 2, name="sensor"),
            ],
            lambda tag, signal, sensor: {
                "name": tag + "!",
                "most": tf.reduce_max(signal, 1),
                "trace": tf.linalg.trace(sensor),
            },
        ),
        "picture": (
            [tensor("string", None)],
            lambda x: {"image_bytes": x + b"\xff", "length": tf.strings.length(x)},
        ),
        "joined": ([tensor("string", None, 2)], lambda x: {"y": tf.strings.reduce_join(x, 1)}),
        "one_text": ([tensor("string")], lambda x: {"y": tf.strings.length(x)}),
        "scalar": ([tensor("float32")], lambda x: {"y": x * 2}),
        "no_batch": ([tensor("float32", 100, 2)], lambda x: {"y": tf.reduce_sum(x, 0)}),
        "loss": ([tensor("float32", None)], lambda x: {"y": tf.reduce_sum(x)}),
        "named": (
            [tensor("float32", None)],
            lambda x: {"y": x, "names": tf.constant(["a", "b", "c"])},
        ),
        "positive": ([tensor("float32", None)], lambda x: {"y": tf.boolean_mask(x, x > 0)}),
        "root": ([tensor("float32", None)], lambda x: {"y": tf.sqrt(x)}),
        "divided": ([tensor("int32", None)], lambda x: {"y": 6 // x}),
    }
    dtypes = ("bfloat16", "float16", "float64", "int8", "uint8", "int64", "uint64", "bool")
    for dtype in dtypes:
        signatures[dtype] = ([tensor(dtype, None)], lambda x: {"y": tf.identity(x)})
    module = tf.Module()
    made = {}
    for name, (inputs, function) in signatures.items():
        made[name] = tf.function(function, input_signature=inputs)
        setattr(module, f"{name}_function", made[name])
    tf.saved_model.save(module, str(folder), made)


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    """The model, loaded as the server loads it."""
    folder = tmp_path_factory.mktemp("half_plus_three")
    half_plus_three(folder / "123")
    return load_models(folder, Terms(engine="tensorflow"), lambda reason: None).default.pipeline


@pytest.fixture(scope="module")
def ask(pipeline: Pipeline) -> Ask:
    """The answer to a document: `ask({"instances": […]}, accept="text/csv")`."""

    def answer(document: Any, accept: str = "") -> Any:
        request = Request(json.dumps(document).encode(), "application/json", accept)
        response = pipeline(request, lambda: 60.0, Stopwatch())
        return (
            json.loads(response.body) if response.content_type.endswith("json") else response.body
        )

    return answer


def refusal(ask: Ask, document: Any, kind: type[PlumblineError], accept: str = "") -> str:
    """The sentence of an error, which is told as TensorFlow Serving tells it."""
    with pytest.raises(kind) as caught:
        ask(document, accept)
    assert json.loads(encode_error(caught.value).body) == {"error": caught.value.message}
    return caught.value.message


def test_the_documentations_example(ask: Ask) -> None:
    assert ask({"instances": [1.0, 2.0, 5.0]}) == {"predictions": [3.5, 4.0, 5.5]}
    assert ask({"inputs": [1.0, 2.0, 5.0]}) == {"outputs": [3.5, 4.0, 5.5]}
    named = {"signature_name": "serving_default", "instances": [{"x": 1.0}, {"x": 2.0}]}
    assert ask(named) == {"predictions": [3.5, 4.0]}
    assert ask({"inputs": {"x": [5.0]}}) == {"outputs": [5.5]}


def test_several_inputs_and_outputs_in_rows_and_in_columns(ask: Ask) -> None:
    rows = [
        {"tag": "foo", "signal": [1, 2, 3, 4, 5], "sensor": [[1, 2], [3, 4]]},
        {"tag": "bar", "signal": [3, 4, 1, 2, 5], "sensor": [[4, 5], [6, 8]]},
    ]
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    assert ask({"signature_name": "described", "instances": rows}) == {
        "predictions": [
            {"most": 5, "name": "foo!", "trace": 5.0},
            {"most": 5, "name": "bar!", "trace": 12.0},
        ]
    }
    assert ask({"signature_name": "described", "inputs": columns}) == {
        "outputs": {"most": [5, 5], "name": ["foo!", "bar!"], "trace": [5.0, 12.0]}
    }


def b64(data: bytes) -> dict[str, str]:
    return {"b64": base64.b64encode(data).decode()}


def test_bytes_go_in_and_come_out_in_base64(ask: Ask) -> None:
    """Also through a signature that is not the one that pictures go to."""
    first = {"image_bytes": b64(b"\x00\xfe\xff"), "length": 2}
    second = {"image_bytes": b64("é".encode() + b"\xff"), "length": 2}
    for rows, found in (
        ([b64(b"\x00\xfe"), b64("é".encode())], [first, second]),
        (["é", b64(b"\x00\xfe")], [second, first]),
        ([b64(b"\x00\xfe"), "é"], [first, second]),
    ):
        document = {"signature_name": "picture", "instances": rows}
        assert ask(document) == {"predictions": found}
    columns = ask({"signature_name": "picture", "inputs": [b64(b"\x00\xfe")]})
    assert columns == {"outputs": {"image_bytes": [b64(b"\x00\xfe\xff")], "length": [2]}}


def test_texts_may_lie_in_lists(ask: Ask) -> None:
    rows = [["a", "b"], ["c", b64(b"d")]]
    assert ask({"signature_name": "joined", "instances": rows}) == {"predictions": ["ab", "cd"]}
    assert ask({"signature_name": "joined", "inputs": rows}, "text/csv") == b"ab\ncd\n"


@pytest.mark.parametrize(
    ("signature", "value", "found"),
    [("one_text", "hello", 5), ("one_text", b64(b"\xff\x00"), 2), ("scalar", 3.5, 7.0)],
)
def test_an_input_without_axes_is_asked_in_columns(
    signature: str, value: Any, found: Any, ask: Ask
) -> None:
    assert ask({"signature_name": signature, "inputs": value}) == {"outputs": found}
    assert ask({"signature_name": signature, "inputs": {"x": value}}) == {"outputs": found}
    document = {"signature_name": signature, "instances": ["a" if signature == "one_text" else 1]}
    assert "have the shape [1]" in refusal(ask, document, InvalidInstances)


def test_an_input_without_a_batch_axis_is_no_batch(ask: Ask) -> None:
    rows = [[1, 2]] * 100
    assert ask({"signature_name": "no_batch", "inputs": rows}) == {"outputs": [100.0, 200.0]}
    assert ask({"signature_name": "no_batch", "instances": rows}) == {"predictions": [100.0, 200.0]}


@pytest.mark.parametrize("signature", ["loss", "named"])
def test_outputs_that_are_no_rows_come_in_columns_only(signature: str, ask: Ask) -> None:
    document = {"signature_name": signature, "instances": [1, 2.5]}
    message = refusal(ask, document, InvalidInstances)
    assert message.startswith("The model's outputs don't agree on the number of instances, ")
    expected = {"loss": 3.5, "named": {"y": [1.0, 2.5], "names": ["a", "b", "c"]}}
    assert ask({"signature_name": signature, "inputs": [1, 2.5]}) == {
        "outputs": expected[signature]
    }


def test_no_rows_at_all_are_an_empty_list(ask: Ask) -> None:
    document = {"signature_name": "positive", "instances": [-1, -2]}
    assert ask(document) == {"predictions": []}
    assert ask(document, "text/csv") == b""
    assert np.load(io.BytesIO(ask(document, "application/x-npy"))).shape == (0,)


def test_what_is_no_number_is_null(ask: Ask) -> None:
    assert ask({"signature_name": "root", "instances": [4, -1]}) == {"predictions": [2.0, None]}


NUMBERS: dict[str, list[Any]] = {
    "bfloat16": [0.100097656, -2.0],
    "float16": [0.5, 65504.0],
    "float64": [0.1, 1e300],
    "int8": [-128, 127],
    "uint8": [0, 255],
    "int64": [-(2**63), 2**63 - 1],
    "uint64": [0, 2**64 - 1],
    "bool": [True, False],
}


@pytest.mark.parametrize("dtype", NUMBERS)
def test_every_dtype_comes_back_as_it_went_in(dtype: str, ask: Ask) -> None:
    values = NUMBERS[dtype]
    assert ask({"signature_name": dtype, "instances": values}) == {"predictions": values}
    array = np.load(
        io.BytesIO(ask({"signature_name": dtype, "inputs": values}, "application/x-npy"))
    )
    assert array.dtype == ("float32" if dtype == "bfloat16" else dtype)
    np.testing.assert_allclose(array, np.array(values, array.dtype), rtol=1e-6)


@pytest.mark.parametrize(
    ("dtype", "value"),
    [
        ("float16", 65520),
        ("float16", 1e39),
        ("int8", 128),
        ("uint8", -1),
        ("int64", 2**63),
        ("uint64", -1),
        ("bool", 2),
        ("bool", 0.5),
        ("int64", "1"),
        ("bfloat16", "x"),
    ],
)
def test_what_a_dtype_does_not_have_is_refused(dtype: str, value: Any, ask: Ask) -> None:
    document = {"signature_name": dtype, "instances": [value]}
    message = refusal(ask, document, InvalidInstances)
    assert message.startswith("The instances hold values ")
    assert f"the input x: {dtype} [?]; send " in message


def test_a_signature_that_is_not_there_is_told_which_are(ask: Ask) -> None:
    for row in (1.0, b64(b"x")):
        message = refusal(ask, {"signature_name": "y", "instances": [row]}, InvalidInstances)
        assert message.startswith("The model has no signature 'y'; it has 'serving_default', 'b")


def test_a_model_that_refuses_values_says_so_and_goes_on(
    ask: Ask, caplog: pytest.LogCaptureFixture
) -> None:
    document = {"signature_name": "divided", "instances": [0]}
    message = refusal(ask, document, InputRefused)
    assert message.startswith("The model can't compute this input: ")
    assert "ivision by zero" in caplog.text
    assert ask({"signature_name": "divided", "instances": [2]}) == {"predictions": [3]}
    lengths = {"signature_name": "described", "inputs": {"tag": ["a"], "signal": [[1] * 5] * 2}}
    lengths["inputs"]["sensor"] = []
    refusal(ask, lengths, InvalidInstances)


def test_lines_that_a_model_refuses_are_answered_in_their_place(pipeline: Pipeline) -> None:
    other = replace(pipeline, engine=pipeline.engine.others["divided"])
    request = Request(b"1\n0\n[]\n3\n", "application/jsonlines")
    one, zero, empty, three = other(request, lambda: 60.0, Stopwatch()).body.splitlines()
    assert (one, three) == (b"6", b"2")
    assert json.loads(zero)["error"].startswith("The model can't compute this input: ")
    assert json.loads(empty)["error"].startswith("The instances have the shape [1, 0]")


def loaded(folder: Path, toml: str, function: Callable[..., dict[str, Any]]) -> Pipeline:
    """A model whose input is a batch of strings."""
    import tensorflow as tf

    module = tf.Module()
    texts = tf.TensorSpec([None], tf.string, "x")
    module.function = tf.function(function, input_signature=[texts])
    tf.saved_model.save(module, str(folder / "1"), {"serving_default": module.function})
    (folder / "plumbline.toml").write_text(toml)
    return load_models(folder, Terms(engine="tensorflow"), lambda reason: None).default.pipeline


def png(color: tuple[int, int, int]) -> bytes:
    """A picture of one colour."""
    stream = io.BytesIO()
    Image.new("RGB", (9, 7), color).save(stream, "PNG")
    return stream.getvalue()


@pytest.mark.parametrize("task", ["classification", "raw"])
def test_pictures_that_a_model_can_not_decode_are_answered_in_their_place(
    task: str, tmp_path: Path
) -> None:
    import tensorflow as tf

    def mean(picture: Any) -> Any:
        return tf.reduce_mean(tf.cast(tf.io.decode_png(picture, 3), tf.float32), [0, 1])

    def means(x: Any) -> dict[str, Any]:
        return {"mean": tf.ensure_shape(tf.map_fn(mean, x, tf.float32), [None, 3])}

    pipeline = loaded(tmp_path, f'task = "{task}"\n', means)
    pictures = [png((10, 20, 30)), png((1, 2, 3))[:-30], png((3, 2, 1))]
    body = b"".join(json.dumps(b64(picture)).encode() + b"\n" for picture in pictures)
    request = Request(body, "application/jsonlines", "text/csv")
    first, second, third = pipeline(request, lambda: 60.0, Stopwatch()).body.splitlines()
    assert (first, third) == (b"10.0,20.0,30.0", b"3.0,2.0,1.0")
    assert second.startswith(b"1,error,input_refused,")
    with pytest.raises(InputRefused):
        pipeline(Request(pictures[1], "image/png"), lambda: 60.0, Stopwatch())


def test_a_model_of_serialized_examples_is_served(tmp_path: Path) -> None:
    import tensorflow as tf

    features = {"x": tf.io.FixedLenFeature([], tf.float32)}

    def parsed(x: Any) -> dict[str, Any]:
        return {"y": tf.io.parse_example(x, features)["x"] / 2 + 3}

    pipeline = loaded(tmp_path, 'task = "raw"\n', parsed)
    rows = []
    for value in (1.0, 2.0, 5.0):
        number = tf.train.Feature(float_list=tf.train.FloatList(value=[value]))
        example = tf.train.Example(features=tf.train.Features(feature={"x": number}))
        rows.append(b64(example.SerializeToString()))
    body = json.dumps({"instances": rows}).encode()
    response = pipeline(Request(body, "application/json"), lambda: 60.0, Stopwatch())
    assert json.loads(response.body) == {"predictions": [3.5, 4.0, 5.5]}


def test_bytes_that_a_raw_model_makes_of_a_picture_come_in_base64(tmp_path: Path) -> None:
    import tensorflow as tf

    def corner(picture: Any) -> Any:
        return tf.io.encode_png(tf.io.decode_image(picture, 3)[:1, :1])

    def corners(x: Any) -> dict[str, Any]:
        return {"png_bytes": tf.reshape(tf.map_fn(corner, x), [-1])}

    pipeline = loaded(tmp_path, 'task = "raw"\n', corners)
    for body, content_type in (
        (png((1, 2, 3)), "image/png"),
        (json.dumps({"instances": [b64(png((1, 2, 3)))]}).encode(), "application/json"),
    ):
        response = pipeline(Request(body, content_type), lambda: 60.0, Stopwatch())
        [row] = json.loads(response.body)["predictions"]
        made = Image.open(io.BytesIO(base64.b64decode(row["b64"])))
        assert (made.size, made.getpixel((0, 0))) == ((1, 1), (1, 2, 3))
