"""OpenVINO beside TensorFlow on the families of keras.applications, and on the examples' networks.

The networks are as deep as it takes to have every kind of layer: what is repeated is there once.

Their weights are random. A network fresh from its initialiser is no test: its scores are all
alike. So what normalises is given the statistics of some pictures, and values that keep it well
conditioned: with Keras's defaults each layer of such a network enlarges rounding, until TensorFlow
itself is a thousand times further from the exact answer than it is for a network that was trained.
"""

from __future__ import annotations

import importlib
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from plumbline.engines.keras_export import export
from plumbline.engines.openvino import Threads, load_network
from plumbline.engines.tensorflow import load_saved_model
from plumbline.engines.time_left import lasting
from plumbline.vision import synthetic_pictures

pytestmark = pytest.mark.tensorflow

BUDGET = 3e-5
"""Of the output's range: what rounding comes to through a hundred layers, on any processor."""

COMPARED = 3

FAMILIES = [
    ("convnext", "ConvNeXt", 32, {"depths": (1,) * 4, "projection_dims": (16, 32, 64, 128)}),
    ("densenet", "DenseNet121", 32, {}),
    ("efficientnet_v2", "EfficientNetV2B0", 64, {}),
    ("inception_resnet_v2", "InceptionResNetV2", 75, {}),
    ("mobilenet", "MobileNet", 64, {"alpha": 0.25}),
    ("mobilenet_v3", "MobileNetV3Small", 64, {}),
    ("resnet", "ResNet50", 64, {}),
    ("resnet_v2", "ResNet50V2", 64, {}),
    ("xception", "Xception", 71, {}),
]
"""The module, its smallest network, a side of pictures (where it must be, one that leaves the last
layers more than a pixel, whose statistics make for channels that hardly vary), and other arguments.
VGG has no layer that the CNNs of the examples do not have; Inception V3 and the first EfficientNet
have none that their successors do not have, NASNet but one, and MobileNetV2 is that of an example.
"""


def pictures(size: int, count: int = 16) -> np.ndarray:
    """`[count, size, size, 3]` float32 in 0..255: pieces of synthetic photographs."""
    random = np.random.default_rng(0)
    files = synthetic_pictures.pictures("PNG")[: synthetic_pictures.PHOTOGRAPHS]
    whole = [np.asarray(Image.open(io.BytesIO(file)), np.float32) for file in files]
    found = []
    for number in range(count):
        top, left = random.integers(0, np.subtract(synthetic_pictures.SIZE, size), endpoint=True)
        found.append(whole[number % len(whole)][top : top + size, left : left + size])
    return np.stack(found)


def settle(model: Any, batch: np.ndarray) -> None:
    """Give what normalises in the model the statistics of the batch, and a mild slope."""
    random = np.random.default_rng(1)
    for layer in model._flatten_layers():
        if type(layer).__name__ == "LayerScale":
            layer.gamma.assign(random.uniform(0.2, 0.8, layer.gamma.shape))
        if type(layer).__name__ == "BatchNormalization":
            layer.momentum = 0.0
            for weight, bounds in ((layer.gamma, (0.2, 0.6)), (layer.beta, (0.5, 1.5))):
                if weight is not None:
                    weight.assign(random.uniform(*bounds, weight.shape))
    model(batch, training=True)


def answers(model: Any, batch: np.ndarray, folder: Path) -> list[np.ndarray]:
    """TensorFlow's and OpenVINO's only output for the batch."""
    export(model, folder)
    original = load_saved_model(folder, "serving_default", 2)
    engine = load_network(folder, original.signature, "f32", Threads(2, 2))
    inputs = {original.signature.input().name: batch}
    return [next(iter(each.run(inputs, lasting(60)).values())) for each in (original, engine)]


def demand_equal(model: Any, batch: np.ndarray, folder: Path) -> None:
    """That both say the same, and something that depends on the picture."""
    expected, found = answers(model, batch, folder)
    largest = float(np.abs(expected).max())
    assert np.abs(expected[0] - expected[1]).max() > 0.001 * largest, "all pictures are alike to it"
    np.testing.assert_allclose(found, expected, rtol=0, atol=BUDGET * largest)


@pytest.mark.parametrize(
    ("family", "name", "size", "arguments"), FAMILIES, ids=[one[0] for one in FAMILIES]
)
def test_a_family_of_keras_applications(
    family: str,
    name: str,
    size: int,
    arguments: dict[str, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import keras

    keras.utils.set_random_seed(0)
    module, resnet = (
        importlib.import_module(f"keras.src.applications.{each}") for each in (family, "resnet")
    )
    if family != "convnext":  # its loops are over what differs
        for each in {module, resnet}:
            monkeypatch.setattr(each, "range", lambda *bounds: range(*bounds)[:1], raising=False)
    model = getattr(module, name)(
        weights=None,
        input_shape=(size, size, 3),
        classes=10,
        classifier_activation=None,
        **arguments,
    )
    batch = np.asarray(module.preprocess_input(pictures(size)))
    settle(model, batch)

    demand_equal(model, batch[:COMPARED], tmp_path)


def digits() -> Any:
    """A CNN of Keras 3."""
    import digits

    return digits.build_model()


def cifar10() -> Any:
    """A CNN of Keras 2."""
    import cifar10

    return cifar10.build_model()


def detector() -> Any:
    """An SSD with its prior boxes."""
    import ssd

    return ssd.build_model(10)


def segmenter() -> Any:
    """A U-Net of Keras 2."""
    import segmenter

    return segmenter.build_model()


@pytest.mark.parametrize("build", [digits, cifar10, detector, segmenter])
def test_the_network_of_an_example(build: Callable[[], Any], tmp_path: Path) -> None:
    """That of `mobilenet.py` is packed, served and compared in `test_examples.py`."""
    import keras

    keras.utils.set_random_seed(0)
    model = build()
    batch = pictures(model.inputs[0].shape[1]) / 255
    settle(model, batch)

    demand_equal(model, batch[:COMPARED], tmp_path)
