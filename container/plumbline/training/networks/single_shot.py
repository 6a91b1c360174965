"""SSD: a network of network_table whose maps say for each of their priors what box is there.

Liu and others, SSD: Single Shot MultiBox Detector (2016); its heads are those of SSDLite (Sandler
and others, MobileNetV2, 2018). The output is one tensor for each picture, `[priors, 4 + classes + 1
+ 8]`: the offsets of a box from its prior, the probabilities of the classes and of the background,
which is the last, the prior's xmin, ymin, xmax and ymax, and four variances. Coordinates are shares
of the input's width and height.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from plumbline.training.errors import HyperparameterError
from plumbline.training.networks import network_table
from plumbline.training.networks.prior_boxes import prior_boxes
from plumbline.training.networks.tiny_mobilenet import separated

BESIDE_CLASSES = 12
"""Columns: offsets, the prior, variances."""

EXTRA_FILTERS = 128
"""Of the maps that are coarser than the backbone's."""

OWN = ("extra_", "offsets_", "scores_")
"""What the names begin with of layers that are not the backbone's."""

Sides = tuple[tuple[float, float], ...]
"""Widths and heights of priors, as shares of the input's."""


@dataclass(frozen=True)
class Map:
    """A map of features: a cell for so many pixels each way, and the priors of each cell."""

    stride: int
    sides: Sides


@dataclass(frozen=True)
class Design:
    """What a detector is built from; `classes` are without the background."""

    backbone: str
    shape: tuple[int, int, int]
    classes: int
    maps: tuple[Map, ...]


def detector(design: Design) -> Any:
    """A model from pictures `[n, height, width, channels]` to rows of all priors.

    Raises `HyperparameterError` for a backbone that has no such maps.
    """
    import keras

    inputs, body = backbone(design)
    found = dict(features(body.layers, design))
    rows = [
        read(found[each.stride], each.sides, design.classes + 1, number)
        for number, each in enumerate(design.maps)
    ]
    concatenated = keras.layers.Concatenate(axis=1, dtype="float32", name="rows")
    output = concatenated(rows) if len(rows) > 1 else rows[0]
    return keras.Model(inputs, output, name=f"ssd_{design.backbone}")


def backbone(design: Design) -> tuple[Any, Any]:
    """The input, and the model of features that begins with it."""
    import keras

    inputs, pooled = network_table.NETWORKS[design.backbone].build(design.shape)
    return inputs, keras.Model(inputs, pooled)


def features(layers: Sequence[Any], design: Design) -> Iterator[tuple[int, Any]]:
    """The backbone's last map of each stride, and further ones behind it as far as needed."""
    size, coarsest = design.shape[:2], max(each.stride for each in design.maps)
    stride, found = min(each.stride for each in design.maps), None
    while stride <= coarsest:
        own = [layer.output for layer in layers if is_map(layer.output, size, stride)]
        if own:
            found = own[-1]
        elif found is not None:
            found = separated(found, EXTRA_FILTERS, 2, f"extra_{stride}_")
        else:
            raise HyperparameterError(
                f"The network {design.backbone} has no map with a cell for each {stride} pixels, "
                "which a detector reads; take mobilenetv2, resnet-50 or vgg-16."
            )
        yield stride, found
        stride *= 2


def is_map(output: Any, size: tuple[int, int], stride: int) -> bool:
    """Whether a layer gives a cell for so many pixels each way, whichever way it rounds."""
    if len(getattr(output, "shape", ())) != 4:
        return False
    return all(
        cells in (length // stride, -(-length // stride))
        for cells, length in zip(output.shape[1:3], size, strict=True)
    )


def read(cells: Any, sides: Sides, columns: int, number: int) -> Any:
    """The rows of a map's priors."""
    import keras

    layers = keras.layers
    count = len(sides)
    offsets = layers.SeparableConv2D(count * 4, 3, padding="same", name=f"offsets_{number}")
    scores = layers.SeparableConv2D(count * columns, 3, padding="same", name=f"scores_{number}")
    return layers.Concatenate(dtype="float32", name=f"rows_{number}")(
        [
            layers.Reshape((-1, 4), dtype="float32")(offsets(cells)),
            layers.Softmax(dtype="float32")(
                layers.Reshape((-1, columns), dtype="float32")(scores(cells))
            ),
            prior_boxes(sides, number)(cells),
        ]
    )


def arrays_behind(network: Any) -> int:
    """How many arrays a detector has behind its backbone's, which come first."""
    names = [each.path for each in network.weights]
    return len(names) - next(place for place, name in enumerate(names) if name.startswith(OWN))


def body(network: Any) -> list[Any]:
    """The layers of a detector's backbone, and some without arrays."""
    return [layer for layer in network.layers if not layer.name.startswith(OWN)]
