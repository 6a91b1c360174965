"""Networks for classification by name, and the layers that a picture's values need before them."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from plumbline.training.errors import HyperparameterError
from plumbline.training.networks import residual_networks, tiny_mobilenet

SMALL_SIDE = 64
"""Up to so many pixels the networks for small pictures are chosen."""


class Network(NamedTuple):
    """How it is built, and which `[preprocess] normalize` its values want."""

    build: Callable[[tuple[int, int, int]], tuple[Any, Any]]
    normalize: str


def application(name: str) -> Callable[[tuple[int, int, int]], tuple[Any, Any]]:
    """A network of keras.applications, without its last layer: its input and its features."""

    def build(shape: tuple[int, int, int]) -> tuple[Any, Any]:
        import keras

        model = getattr(keras.applications, name)(
            include_top=False, weights=None, input_shape=shape, pooling="avg"
        )
        return model.input, model.output

    return build


def residual(depth: int) -> Network:
    """One of ours."""
    kind = residual_networks.small if depth in residual_networks.SMALL_DEPTHS else None
    build = kind or residual_networks.large
    return Network(lambda shape: build(shape, depth), "torch")


NETWORKS: Mapping[str, Network] = MappingProxyType(
    {
        **{f"resnet{depth}": residual(depth) for depth in residual_networks.SMALL_DEPTHS},
        **{f"resnet{depth}": residual(depth) for depth in residual_networks.LARGE_BLOCKS},
        "resnet50": Network(application("ResNet50"), "caffe"),
        "resnet101": Network(application("ResNet101"), "caffe"),
        "resnet152": Network(application("ResNet152"), "caffe"),
        "tinymobilenet": Network(tiny_mobilenet.build, "tf"),
        "mobilenet": Network(application("MobileNet"), "tf"),
        "mobilenetv2": Network(application("MobileNetV2"), "tf"),
        "mobilenetv3small": Network(application("MobileNetV3Small"), "none"),
        "mobilenetv3large": Network(application("MobileNetV3Large"), "none"),
        "efficientnetb0": Network(application("EfficientNetB0"), "none"),
        "efficientnetv2b0": Network(application("EfficientNetV2B0"), "none"),
        "efficientnetv2s": Network(application("EfficientNetV2S"), "none"),
        "densenet121": Network(application("DenseNet121"), "torch"),
        "xception": Network(application("Xception"), "tf"),
        "inceptionv3": Network(application("InceptionV3"), "tf"),
        "vgg16": Network(application("VGG16"), "caffe"),
        "convnexttiny": Network(application("ConvNeXtTiny"), "none"),
    }
)
"""By the names of keras.applications in small letters.

The normalisation is that of the network's own `preprocess_input`, so that weights of ImageNet fit.
"""

SQUEEZED = str.maketrans("", "", "-_ ")


def chosen(name: str | None, layers: int | None, size: tuple[int, int]) -> str:
    """The network's name: as it is named, or by `num_layers`, or by the pictures' size.

    Raises `HyperparameterError` for one that is not known.
    """
    if name is None:
        small = max(size) <= SMALL_SIDE
        name = f"resnet{layers}" if layers else "resnet20" if small else "mobilenetv2"
    wanted = name.lower().translate(SQUEEZED)
    if wanted not in NETWORKS:
        near = difflib.get_close_matches(wanted, NETWORKS, 1)
        meant = f"did you mean {near[0]}? " if near else ""
        raise HyperparameterError(
            f"There is no network {name!r}; {meant}There are {', '.join(NETWORKS)}."
        )
    return wanted


def classifier(name: str, shape: tuple[int, int, int], classes: int, dropout: float) -> Any:
    """A model from pictures `[n, height, width, channels]` to logits `[n, classes]`."""
    import keras

    inputs, features = NETWORKS[name].build(shape)
    if dropout:
        features = keras.layers.Dropout(dropout)(features)
    logits = keras.layers.Dense(classes, dtype="float32", name="logits")(features)
    return keras.Model(inputs, logits, name=name)


def freeze(network: Any, body: Sequence[Any], pattern: str | None, only_top: bool) -> None:
    """Let layers of the body learn nothing: those whose names the expression finds, or all.

    Raises `HyperparameterError` for an expression that is none, or finds no layer.
    """
    if only_top:
        chosen = body
    elif not pattern:
        return
    else:
        try:
            chosen = [layer for layer in body if re.search(pattern, layer.name)]
        except re.error as exc:
            raise HyperparameterError(f"freeze={pattern} is no regular expression: {exc}.") from exc
    if not chosen:
        names = ", ".join(layer.name for layer in body[:8])
        raise HyperparameterError(
            f"freeze={pattern} finds no layer of {network.name}; they are called {names}, …"
        )
    for layer in chosen:
        layer.trainable = False
