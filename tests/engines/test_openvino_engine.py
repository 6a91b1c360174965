"""OpenVINO beside TensorFlow, on the same SavedModels."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from plumbline.engines.base import is_quick
from plumbline.engines.openvino import Threads, load_network
from plumbline.engines.openvino_networks import convert
from plumbline.engines.time_left import lasting
from plumbline.errors import ClientGone, DeadlineExceeded, EngineError
from plumbline.pipeline.admission import Deadline
from plumbline.signature import Signature
from plumbline.vision.normalize import NORMALIZATIONS, Normalization, rescaling

pytestmark = pytest.mark.tensorflow


@pytest.fixture(params=["SavedModel", "network"])
def engines(request, load, keras_files, tmp_path: Path):
    """TensorFlow, and OpenVINO on the SavedModel itself or on its own format."""
    original = load(keras_files.saved_model)
    path = keras_files.saved_model
    if request.param == "network":
        path = tmp_path / "network.xml"
        convert(keras_files.saved_model, original.signature, path)
    return original, load_network(path, original.signature, "f32", Threads(2, 2))


@pytest.mark.parametrize("count", [1, 5])
def test_outputs_are_those_of_tensorflow(engines, images: np.ndarray, count: int) -> None:
    original, engine = engines
    name = original.signature.input().name
    inputs = {name: images[:count]}

    expected, found = (each.run(inputs, lasting(60)) for each in (original, engine))

    assert found.keys() == expected.keys()
    for output, values in expected.items():
        np.testing.assert_allclose(found[output], values, rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    "normalization",
    [
        # A picture's own mean can't be a part of the network.
        *(each for each in NORMALIZATIONS.values() if not each.per_image),
        Normalization(256, scale=2, mean=(0.1, 0.2, 0.3), std=(2.0, 3.0, 4.0), reverse=True),
        rescaling(1 / 127.5, -1),
    ],
)
def test_a_network_that_normalises_takes_pictures_as_they_are(
    load, keras_files, normalization: Normalization
) -> None:
    original = load(keras_files.saved_model)
    pixels = np.random.default_rng(1).integers(0, 256, (3, 8, 8, 3), np.uint8)
    name = original.signature.input().name
    engine = load_network(
        keras_files.saved_model,
        original.signature,
        "f32",
        Threads(2, 2),
        normalization=normalization,
    )

    expected = original.run({name: normalization(pixels)}, lasting(60))
    found = engine.run({name: pixels}, lasting(60))

    assert engine.signature.input().dtype == "uint8"
    for output, values in expected.items():
        np.testing.assert_allclose(found[output], values, rtol=0, atol=1e-5)


def test_many_callers_at_once_get_each_their_own_answer(engines, images: np.ndarray) -> None:
    original, engine = engines
    name = original.signature.input().name
    rows = [images[number % 5 : number % 5 + 1] for number in range(60)]
    expected = [next(iter(original.run({name: row}, lasting(60)).values())) for row in rows]

    with ThreadPoolExecutor(8) as pool:
        found = list(
            pool.map(lambda row: next(iter(engine.run({name: row}, lasting(60)).values())), rows)
        )

    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)


def test_an_answer_stays_as_it_was_when_others_follow(engines, images: np.ndarray) -> None:
    _, engine = engines
    name = engine.signature.input().name
    (first,) = engine.run({name: images[:1]}, lasting(60)).values()
    kept = first.copy()
    for image in images:
        engine.run({name: image[np.newaxis]}, lasting(60))
    np.testing.assert_array_equal(first, kept)


def test_who_has_gone_gets_no_answer_and_the_engine_stays_whole(load, tmp_path: Path) -> None:
    import keras

    layers = keras.layers
    deep = [layers.Conv2D(16, 7, padding="same") for _ in range(8)]
    keras.Sequential([keras.Input((96, 96, 3)), *deep]).export(tmp_path, verbose=False)
    engine = load_network(tmp_path, load(tmp_path).signature, "f32", Threads(1, 1))
    inputs = {engine.signature.input().name: np.ones((1, 96, 96, 3), np.float32)}
    (before,) = engine.run(inputs, lasting(60)).values()

    for _ in range(5):
        with pytest.raises(ClientGone):
            engine.run(inputs, Deadline(600, gone=lambda: True).remaining)

    (after,) = engine.run(inputs, lasting(60)).values()
    np.testing.assert_array_equal(after, before)


def test_a_deadline_ends_the_wait_and_leaves_the_engine_whole(load, tmp_path: Path) -> None:
    import keras

    layers = keras.layers
    slow = keras.Sequential([keras.Input((512, 512, 3)), layers.Conv2D(64, 15, padding="same")])
    slow.export(tmp_path, verbose=False)
    engine = load_network(tmp_path, load(tmp_path).signature, "f32", Threads(2, 2))
    inputs = {engine.signature.input().name: np.ones((1, 512, 512, 3), np.float32)}

    with pytest.raises(DeadlineExceeded):
        engine.run(inputs, Deadline(0.01).remaining)

    (answer,) = engine.run(inputs, lasting(120)).values()
    assert answer.shape == (1, 512, 512, 64)


def test_inputs_that_the_network_does_not_take_are_an_error(engines) -> None:
    _, engine = engines
    name = engine.signature.input().name
    with pytest.raises(EngineError):
        engine.run({name: np.zeros((1, 3, 3, 3), np.float32)}, lasting(60))


def test_several_inputs_and_outputs_keep_their_names(load, tmp_path: Path) -> None:
    import tensorflow as tf

    class Module(tf.Module):
        @tf.function(
            input_signature=[
                tf.TensorSpec([None, 4], tf.float32, "weights"),
                tf.TensorSpec([None, 4], tf.float32, "base"),
            ]
        )
        def mix(self, weights, base):
            return {"sum": weights + 2 * base, "largest": tf.reduce_max(weights, 1), "all": base}

    module = Module()
    tf.saved_model.save(module, str(tmp_path), {"serving_default": module.mix})
    original = load(tmp_path)
    engine = load_network(tmp_path, original.signature, "f32", Threads(1, 1))
    rng = np.random.default_rng(0)
    inputs = {name: rng.random((3, 4), np.float32) for name in ("weights", "base")}

    expected, found = original.run(inputs, lasting(60)), engine.run(inputs, lasting(60))

    assert found.keys() == {"sum", "largest", "all"}
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, rtol=1e-6)


def test_a_network_with_other_tensors_is_refused(load, keras_files, tf1_model) -> None:
    signature = load(tf1_model).signature
    with pytest.raises(EngineError, match="other inputs or outputs than the model's signature"):
        load_network(keras_files.saved_model, signature, "f32", Threads(1, 1))


def test_what_openvino_can_not_read_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "network.xml").write_text("<net>broken")
    with pytest.raises(EngineError, match=r"^OpenVINO can't compile network\.xml: "):
        load_network(tmp_path / "network.xml", Signature((), ()), "f32", Threads(1, 1))


TELLS = """
import sys
from plumbline.engines import openvino_networks
from plumbline.errors import EngineError
from plumbline.signature import ABSENT
from pathlib import Path
try:
    openvino_networks.convert(Path("nowhere"), ABSENT, Path("network.xml"))
except EngineError:
    print(sys.modules["openvino_telemetry"])
"""


def test_its_makers_are_told_nothing_of_its_use() -> None:
    done = subprocess.run(
        [sys.executable, "-c", TELLS], capture_output=True, text=True, check=False
    )
    assert done.stdout == "None\n", done.stderr


def test_inputs_may_be_read_only_and_of_any_layout(engines, images: np.ndarray) -> None:
    """As what was received is, and what was turned."""
    original, engine = engines
    name = original.signature.input().name
    received = np.frombuffer(images[:2].tobytes(), np.float32).reshape(images[:2].shape)
    turned = received.transpose(0, 2, 1, 3)

    for tensor in (received, turned, received):
        (expected,) = original.run({name: tensor}, lasting(60)).values()
        (found,) = engine.run({name: tensor}, lasting(60)).values()
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)


def test_who_has_gone_gets_no_answer_of_a_quick_network_either(engines, images) -> None:
    _, engine = engines
    inputs = {engine.signature.input().name: images[:1]}
    (before,) = engine.run(inputs, lasting(60)).values()
    engine.run(inputs, lasting(60))

    with pytest.raises(ClientGone):
        engine.run(inputs, Deadline(600, gone=lambda: True).remaining)
    with pytest.raises(DeadlineExceeded):
        engine.run(inputs, Deadline(0).remaining)

    (after,) = engine.run(inputs, lasting(60)).values()
    np.testing.assert_array_equal(after, before)


def test_it_is_quick_once_its_runs_are_where_one_is_computed_at_a_time(
    load, keras_files, images: np.ndarray
) -> None:
    signature = load(keras_files.saved_model).signature
    inputs = {signature.input().name: images[:1]}

    def becomes_quick(threads: Threads) -> bool:
        engine = load_network(keras_files.saved_model, signature, "f32", threads)
        assert not is_quick(engine)
        for _ in range(200):  # a busy machine may be slow for a while
            engine.run(inputs, lasting(60))
            if is_quick(engine):
                return True
        return False

    assert becomes_quick(Threads(2, 1))
    assert not becomes_quick(Threads(2, 2))
    assert not becomes_quick(Threads(4, 4, streams=2))
