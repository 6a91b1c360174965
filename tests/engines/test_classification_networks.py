"""The networks of classification are those of the papers and of keras.applications."""

from __future__ import annotations

import numpy as np
import pytest

from plumbline.training.errors import HyperparameterError
from plumbline.training.networks.network_table import NETWORKS, chosen, classifier

pytestmark = pytest.mark.tensorflow

PUBLISHED = {
    # He et al. 2015, table 6, in millions; option A of the shortcuts, which has no parameters.
    "resnet20": (0.27e6, 0.02),
    "resnet32": (0.46e6, 0.02),
    "resnet44": (0.66e6, 0.02),
    "resnet56": (0.85e6, 0.02),
    "resnet110": (1.7e6, 0.03),
    # torchvision's resnet18 and resnet34.
    "resnet18": (11_689_512, 0),
    "resnet34": (21_797_672, 0),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_our_residual_networks_have_the_published_sizes(name: str) -> None:
    expected, tolerance = PUBLISHED[name]
    large = expected > 1e7
    model = classifier(name, (224, 224, 3) if large else (32, 32, 3), 1000 if large else 10, 0)
    count = sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)
    assert count == pytest.approx(expected, rel=tolerance)


@pytest.mark.parametrize("name", ["mobilenetv2", "efficientnetv2b0"])
def test_networks_of_keras_are_keras_own(name: str) -> None:
    import keras

    theirs = {"mobilenetv2": "MobileNetV2", "efficientnetv2b0": "EfficientNetV2B0"}[name]
    model = getattr(keras.applications, theirs)(weights=None, input_shape=(64, 64, 3), classes=7)
    assert classifier(name, (64, 64, 3), 7, 0.2).count_params() == model.count_params()


def test_the_network_follows_the_pictures_unless_it_is_named() -> None:
    assert chosen(None, None, (32, 64)) == "resnet20"
    assert chosen(None, None, (224, 224)) == "mobilenetv2"
    assert chosen(None, 18, (224, 224)) == "resnet18"
    assert chosen("EfficientNetV2-B0", 18, (32, 32)) == "efficientnetv2b0"
    assert all(chosen(name, None, (1, 1)) == name for name in NETWORKS)
    with pytest.raises(
        HyperparameterError, match=r"no network 'resnet200'; did you mean resnet\d+\? There"
    ):
        chosen(None, 200, (224, 224))
