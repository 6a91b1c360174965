"""The five networks that are served, with random weights: speed does not depend on training."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import keras
import numpy as np
from keras import layers, ops

PRIORS = ((19, 3), (10, 6), (5, 6), (3, 6), (2, 6), (1, 6))
"""The sides of SSDLite's six maps, and the priors of a cell: 1,917 in all."""

CLASSES = 21
"""Those of Pascal VOC, and the background."""


def cifar_cnn() -> Any:
    """The notebook's classifier: `[batch, 32, 32, 3]` → ten probabilities."""
    filters = (50, 64, 128, 256, 256)
    stack: list[Any] = [keras.Input((32, 32, 3))]
    for position, count in enumerate(filters):
        stack.append(layers.Conv2D(count, 3, padding="same", activation="relu"))
        if position:
            stack += [layers.MaxPooling2D(), layers.Dropout(0.2)]
    dense = [layers.Dense(500, activation="relu"), layers.Dense(250, activation="relu")]
    return keras.Sequential([*stack, layers.Flatten(), *dense, layers.Dense(10, "softmax")])


def mobilenet_v2() -> Any:
    """`[batch, 224, 224, 3]` → 1,000 probabilities."""
    return keras.applications.MobileNetV2(weights=None)


def resnet50() -> Any:
    """`[batch, 224, 224, 3]` → 1,000 probabilities."""
    return keras.applications.ResNet50(weights=None)


class Priors(layers.Layer):  # type: ignore[misc]
    """The same boxes and variances for every picture: `[batch, priors, 8]`."""

    def __init__(self, side: int, count: int) -> None:
        super().__init__()
        y, x, size = np.meshgrid(*map(np.linspace, (0, 0, 0.1), (1, 1, 0.9), (side, side, count)))
        corners = np.stack([x - size / 2, y - size / 2, x + size / 2, y + size / 2], axis=-1)
        boxes = np.clip(corners.reshape(-1, 4), 0, 1)
        variances = np.tile((0.1, 0.1, 0.2, 0.2), (len(boxes), 1))
        self.rows = np.concatenate([boxes, variances], axis=1, dtype=np.float32)

    def call(self, cells: Any) -> Any:
        """The boxes, for as many pictures as there are."""
        return ops.broadcast_to(self.rows, (ops.shape(cells)[0], *self.rows.shape))


def ssd_rows(cells: Any, count: int) -> Any:
    """What a map says of its priors: offsets, probabilities, priors and variances."""
    offsets = layers.SeparableConv2D(count * 4, 3, padding="same")(cells)
    scores = layers.SeparableConv2D(count * CLASSES, 3, padding="same")(cells)
    parts = [
        layers.Reshape((-1, 4))(offsets),
        layers.Softmax()(layers.Reshape((-1, CLASSES))(scores)),
        Priors(cells.shape[1], count)(cells),
    ]
    return layers.Concatenate()(parts)


def halved(cells: Any, filters: int, padding: str) -> Any:
    """SSDLite's extra maps: a separable convolution of stride two."""
    cells = layers.Conv2D(filters // 2, 1, activation="relu6")(cells)
    return layers.SeparableConv2D(filters, 3, 2, padding=padding, activation="relu6")(cells)


def ssdlite() -> Any:
    """SSDLite on Xception: `[batch, 300, 300, 3]` → `[batch, 1917, 4 + 21 + 8]`."""
    body = keras.applications.Xception(include_top=False, weights=None, input_shape=(300, 300, 3))
    maps = [body.get_layer("block13_sepconv2_bn").output, body.output]
    for filters in (512, 256, 256, 128):
        maps.append(halved(maps[-1], filters, "same"))
    rows = [ssd_rows(cells, count) for cells, (_, count) in zip(maps, PRIORS, strict=True)]
    return keras.Model(body.input, layers.Concatenate(axis=1)(rows))


def enlarged(cells: Any, filters: int) -> Any:
    """Twice as high and wide."""
    cells = layers.Conv2DTranspose(filters, 3, 2, padding="same", use_bias=False)(cells)
    return layers.ReLU()(layers.BatchNormalization()(cells))


def unet() -> Any:
    """TensorFlow's tutorial on segmentation: `[batch, 128, 128, 3]` → three logits a pixel."""
    body = keras.applications.MobileNetV2(
        include_top=False, weights=None, input_shape=(128, 128, 3)
    )
    names = ("block_1_expand", "block_3_expand", "block_6_expand", "block_13_expand")
    skipped = [body.get_layer(f"{name}_relu").output for name in names]
    cells = body.get_layer("block_16_project").output
    for filters, skip in zip((512, 256, 128, 64), reversed(skipped), strict=True):
        cells = layers.Concatenate()([enlarged(cells, filters), skip])
    return keras.Model(body.input, layers.Conv2DTranspose(3, 3, 2, padding="same")(cells))


NETWORKS: Mapping[str, Callable[[], Any]] = MappingProxyType(
    {
        "cifar-cnn": cifar_cnn,
        "mobilenet-v2": mobilenet_v2,
        "resnet-50": resnet50,
        "ssdlite": ssdlite,
        "unet": unet,
    }
)


def enliven(model: Any, inputs: np.ndarray, spread: float) -> None:
    """Give random weights the numbers of a trained network.

    Batch normalisation learns its means from `inputs`; the last layer is scaled so that its
    logits on them have the standard deviation `spread`, as otherwise all classes are alike.
    """
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.momentum = 0.0
    model(inputs, training=True)
    scale_last(model, inputs, spread)


def scale_last(model: Any, inputs: np.ndarray, spread: float) -> None:
    """Scale the kernel of a classifier's last layer."""
    last = model.layers[-1]
    if not isinstance(last, layers.Dense):
        return
    logits = np.log(np.asarray(model(inputs, training=False)) + 1e-30)
    kernel, *rest = last.get_weights()
    last.set_weights([kernel * (spread / float(logits.std(axis=1).mean())), *rest])


def build(name: str, inputs: Sequence[np.ndarray]) -> Any:
    """The network, the same every time; `inputs` are pictures as it will see them."""
    keras.utils.set_random_seed(0)
    model = NETWORKS[name]()
    enliven(model, np.stack(inputs), spread=3.0)
    return model
