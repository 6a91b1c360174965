"""What the TensorFlow engine answers, for every kind of model file."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from plumbline.engines.time_left import lasting
from plumbline.errors import DeadlineExceeded, InputRefused

pytestmark = pytest.mark.tensorflow


@pytest.mark.parametrize("kind", ["keras", "saved_model"])
def test_outputs_are_those_of_keras(load, keras_files, images: np.ndarray, kind: str) -> None:
    engine = load(getattr(keras_files, kind))
    name = engine.signature.input().name

    (answer,) = engine.run({name: images}, lasting(60)).values()

    np.testing.assert_allclose(answer, keras_files.predict(images), rtol=0, atol=1e-6)


def test_the_signature_is_described(load, module) -> None:
    signature = load(module).signature

    assert [str(spec) for spec in signature.inputs] == [
        "picture: uint8 [?, ?, ?, 3]",
        "weight: float32 [?]",
    ]
    assert sorted(spec.name for spec in signature.outputs) == ["size", "weighted"]


@pytest.mark.parametrize("shape", [(1, 4, 6, 3), (3, 9, 2, 3)])
def test_several_inputs_and_outputs_of_open_sizes(load, module, shape) -> None:
    pictures = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    weights = np.arange(1, shape[0] + 1, dtype=np.float32)

    outputs = load(module).run({"weight": weights, "picture": pictures}, lasting(60))

    expected = pictures.mean(axis=(1, 2)) * weights[:, None]
    np.testing.assert_allclose(outputs["weighted"], expected, rtol=1e-5)
    assert outputs["size"].tolist() == [list(shape[1:3])]


def test_another_signature_is_chosen_by_its_name(load, module) -> None:
    engine = load(module, "brightest")
    picture = np.zeros((1, 2, 2, 3), np.uint8)
    picture[0, 1, 0, 2] = 201

    assert engine.run({"picture": picture}, lasting(60))["value"].tolist() == [201]


def test_a_model_of_tensorflow_1_is_served(load, tf1_model) -> None:
    outputs = load(tf1_model).run({"image": np.array([[1, 2]], np.float32)}, lasting(60))
    assert outputs["scores"].tolist() == [[3, 5]]


@pytest.mark.parametrize("described", [True, False])
def test_a_shape_is_what_the_graph_can_compute_as_in_tensorflow_serving(
    load, tmp_path: Path, described: bool
) -> None:
    """TensorFlow's Python would compare the vector with the `[None, 1]` of the placeholder."""
    import tensorflow as tf

    v1 = tf.compat.v1
    with v1.Session(graph=tf.Graph()) as session:
        x = v1.placeholder(tf.float32, [None, 1], "x")
        given = tf.identity(x, "given") if described else x
        info = v1.saved_model.build_tensor_info(given)
        if not described:
            info.tensor_shape.CopyFrom(tf.TensorShape(None).as_proto())
        y = v1.saved_model.build_tensor_info(tf.add(given / 2, 3.0, "y"))
        signature = v1.saved_model.build_signature_def({"x": info}, {"y": y})
        builder = v1.saved_model.Builder(str(tmp_path / "half"))
        builder.add_meta_graph_and_variables(session, ["serve"], {"serving_default": signature})
        builder.save()

    engine = load(tmp_path / "half")

    assert engine.signature.input().loose
    for fed in ([1.0, 2.0, 5.0], [[1.0], [2.0]], [[1.0, 2.0]]):
        values = np.array(fed, np.float32)
        assert engine.run({"x": values}, lasting(60))["y"].tolist() == (values / 2 + 3).tolist()


def test_several_threads_at_once_get_the_same_answers(load, keras_files, images) -> None:
    engine = load(keras_files.saved_model)
    name = engine.signature.input().name

    def run(number: int) -> np.ndarray:
        return next(iter(engine.run({name: images[number : number + 1]}, lasting(60)).values()))

    alone = [run(number) for number in range(len(images))]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(run, list(range(len(images))) * 20))
    for number, answer in enumerate(together):
        np.testing.assert_array_equal(answer, alone[number % len(images)])


def test_the_deadline_stops_the_model_and_the_engine_goes_on(load, module) -> None:
    engine = load(module, "count")
    endless, few = np.array([2**31 - 1], np.int32), np.array([5], np.int32)
    started = time.monotonic()

    with pytest.raises(DeadlineExceeded):
        engine.run({"rounds": endless}, lasting(0.5))

    # The loop would run for many minutes.
    assert time.monotonic() - started < 30
    assert engine.run({"rounds": few}, lasting(60))["counted"].tolist() == [5]


def test_a_model_that_can_not_compute_its_input_says_so_and_goes_on(load, module) -> None:
    engine = load(module)
    pictures, weights = np.zeros((2, 4, 4, 3), np.uint8), np.ones(3, np.float32)

    with pytest.raises(InputRefused, match="can't compute this input: ") as caught:
        engine.run({"picture": pictures, "weight": weights}, lasting(60))
    assert "Incompatible shapes: [2,3] vs. [3,1]" in caught.value.message
    assert "{{" not in caught.value.message
    assert "\n" not in caught.value.message

    assert engine.run({"picture": pictures, "weight": weights[:2]}, lasting(60))
