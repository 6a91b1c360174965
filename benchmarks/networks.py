"""The five networks that are served: random weights, and last layers that have learnt something.

Speed does not depend on training. How much of its answers a network keeps in another form does:
where it is undecided, the last bit decides.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
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
        name = f"convolution_{position}"
        stack.append(layers.Conv2D(count, 3, padding="same", activation="relu", name=name))
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
    scores = layers.SeparableConv2D(
        count * CLASSES, 3, padding="same", name=f"scores_{cells.shape[1]}"
    )(cells)
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
    return keras.Model(
        body.input, layers.Conv2DTranspose(3, 3, 2, padding="same", name="logits")(cells)
    )


NETWORKS: Mapping[str, Callable[[], Any]] = MappingProxyType(
    {
        "cifar-cnn": cifar_cnn,
        "mobilenet-v2": mobilenet_v2,
        "resnet-50": resnet50,
        "ssdlite": ssdlite,
        "unet": unet,
    }
)


def enliven(model: Any, inputs: np.ndarray) -> None:
    """Let batch normalisation learn its means from pictures, `[batch, height, width, 3]`.

    Its slopes are mild: with those that Keras begins with, each layer of an untrained network
    enlarges rounding, and no form but the exact one would keep its answers.
    """
    rng = np.random.default_rng(0)
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.momentum = 0.0
            for weight, bounds in ((layer.gamma, (0.3, 0.8)), (layer.beta, (0.3, 1.0))):
                if weight is not None:
                    weight.assign(rng.uniform(*bounds, weight.shape))
    model(inputs, training=True)


@dataclass(frozen=True)
class Lesson:
    """What a network's last layers learn.

    `last` names the layers by how their names begin, `probabilities` finds them in the output
    (or logits), and `truth` says what they should be for pictures and their classes.
    """

    last: str
    probabilities: Callable[[Any], Any]
    truth: Callable[[np.ndarray, np.ndarray], np.ndarray]
    from_logits: bool = False
    rate: float = 1e-2
    epochs: int = 40


def whole(output: Any) -> Any:
    """All of it."""
    return output


def photograph(_: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Which photograph a picture is a piece of."""
    return classes


def brightness(pictures: np.ndarray, _: np.ndarray) -> np.ndarray:
    """Dark, neither or bright, `[batch, height, width]`; pictures are from 0 to 1."""
    levels: np.ndarray = np.digitize(pictures.mean(axis=-1), (1 / 3, 2 / 3))
    return levels


def bright_priors(pictures: np.ndarray, _: np.ndarray) -> np.ndarray:
    """The background, or how bright it is in the middle of each prior; pictures from -1 to 1."""
    found = []
    for side, count in PRIORS:
        cells = np.asarray(keras.layers.Resizing(side, side)(pictures)).mean(axis=-1)
        classes = np.digitize(cells, (0.2, 0.5))
        found.append(np.repeat(classes.reshape(len(pictures), -1), count, axis=1))
    return np.concatenate(found, axis=1)


LESSONS: Mapping[str, Lesson] = MappingProxyType(
    {
        "cifar-cnn": Lesson("convolution_0", whole, photograph, rate=5e-4),
        "mobilenet-v2": Lesson("predictions", whole, photograph),
        "resnet-50": Lesson("predictions", whole, photograph),
        "ssdlite": Lesson(
            "scores", lambda rows: rows[..., 4 : 4 + CLASSES], bright_priors, epochs=10
        ),
        "unet": Lesson("logits", whole, brightness, from_logits=True, epochs=10),
    }
)


def teach(model: Any, lesson: Lesson, pictures: np.ndarray, classes: np.ndarray) -> None:
    """Train the last layers, so that the network is as sure of its answers as a trained one.

    What the layers below say of each picture is computed once.
    """
    last = [layer for layer in model.layers if layer.name.startswith(lesson.last)]
    below = [layer.input for layer in last]
    features = keras.Model(model.inputs, below).predict(pictures, batch_size=8, verbose=0)
    head = keras.Model(below, model.outputs)
    judge = keras.losses.SparseCategoricalCrossentropy(from_logits=lesson.from_logits)
    head.compile(
        keras.optimizers.Adam(lesson.rate),
        lambda truth, output: judge(truth, lesson.probabilities(output)),
    )
    truth = lesson.truth(pictures, classes)
    head.fit(features, truth, batch_size=8, epochs=lesson.epochs, verbose=0)


SURE = 4.0
"""By how much a classifier's best logit leads, in the median: a probability of 0.95 or so."""


def temper(model: Any, pictures: np.ndarray) -> None:
    """Scale a classifier's last layer, so that its probabilities are neither all alike nor 0 and 1.

    Those would be the same in any form, to many digits.
    """
    last = model.layers[-1]
    if not isinstance(last, layers.Dense):
        return
    features = keras.Model(model.inputs, last.input).predict(pictures, batch_size=8, verbose=0)
    weights = last.get_weights()
    best = np.sort(features @ weights[0] + weights[1], axis=1)[:, -2:]
    factor = SURE / float(np.median(best[:, 1] - best[:, 0]))
    last.set_weights([weight * factor for weight in weights])


def build(name: str, pictures: np.ndarray, classes: np.ndarray) -> Any:
    """The network, the same every time; `pictures` as it will see them, and their `classes`."""
    keras.utils.set_random_seed(0)
    model = NETWORKS[name]()
    enliven(model, pictures[:32])
    teach(model, LESSONS[name], pictures, classes)
    temper(model, pictures)
    return model
