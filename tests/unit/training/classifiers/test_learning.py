"""Rates, weights, metrics and log lines, against references and the published definitions."""

from __future__ import annotations

import re

import numpy as np
import pytest
from sklearn import metrics as sklearn_metrics
from sklearn.utils.class_weight import compute_sample_weight

from plumbline.training import finished_model, hyperparameters
from plumbline.training.classifiers import hyperparameter_table, metric_definitions
from plumbline.training.classifiers.hyperparameter_table import table_for
from plumbline.training.classifiers.labelled_batches import targets, weights
from plumbline.training.classifiers.metric_definitions import METRICS
from plumbline.training.classifiers.validation import Validation
from plumbline.training.epoch_lines import QUIET_SECONDS, EpochLines
from plumbline.training.errors import HyperparameterError
from plumbline.training.hyperparameters import Values
from plumbline.training.optimization import learning_rates


def values(**given: str) -> Values:
    return hyperparameters.read(hyperparameter_table.TABLE, given)


def test_the_rate_falls_after_the_epochs_that_are_named() -> None:
    rate = learning_rates(values(lr_scheduler_step="2,3", lr_scheduler_factor="0.5"), 10)
    assert [rate(step) for step in (0, 19, 20, 29, 30, 500)] == [0.1, 0.1, 0.05, 0.05, 0.025, 0.025]


def test_the_rate_rises_first_and_follows_a_cosine() -> None:
    chosen = values(learning_rate_schedule="cosine", warm_up_epochs="1", epochs="4")
    rate = learning_rates(chosen, 10)
    rising = [rate(step) for step in range(10)]
    assert rising == sorted(rising)
    assert rate(20) == pytest.approx(0.05)
    assert rate(39) == pytest.approx(0, abs=1e-3)


def test_weights_are_scikit_learns_balanced_ones() -> None:
    labels = [0, 0, 0, 0, 1, 2, 2]
    expected = compute_sample_weight("balanced", labels)
    np.testing.assert_allclose(weights(targets(labels, 3)), expected, rtol=1e-6)


class Scored(Validation):
    """Validation of labels alone."""

    def __init__(self, truth: np.ndarray, several: bool, top_k: int | None = None) -> None:
        self.truth, self.several, self.top_k = truth, several, top_k


def test_metrics_are_those_of_scikit_learn() -> None:
    noise = np.random.default_rng(0)
    labels = noise.integers(0, 5, 200)
    scores = noise.dirichlet(np.ones(5), 200)
    found = Scored(targets(labels.tolist(), 5), False, 2).judged(scores)
    assert found == {
        "validation:accuracy": sklearn_metrics.accuracy_score(labels, scores.argmax(-1)),
        "validation:loss": pytest.approx(sklearn_metrics.log_loss(labels, scores), rel=1e-6),
        "validation:top_k_accuracy_2": sklearn_metrics.top_k_accuracy_score(labels, scores, k=2),
    }


def test_metrics_of_several_labels_are_those_of_scikit_learn() -> None:
    noise = np.random.default_rng(0)
    truth = noise.integers(0, 2, (100, 4)).astype(np.float32)
    scores = noise.random((100, 4))
    found = Scored(truth, True).judged(scores)
    wrong = sklearn_metrics.hamming_loss(truth, scores >= 0.5)
    assert found["validation:accuracy"] == pytest.approx(1 - wrong)
    losses = [sklearn_metrics.log_loss(truth[:, n], scores[:, n], labels=[0, 1]) for n in range(4)]
    assert found["validation:loss"] == pytest.approx(np.mean(losses), rel=1e-5)


def test_the_documented_expressions_find_the_metrics_in_the_log() -> None:
    lines: list[str] = []
    told = {
        "train:loss": 1.25e-05,
        "train:accuracy": 0.5,
        "validation:accuracy": 0.8125,
        "validation:loss": 2.0,
    }
    EpochLines(metric_definitions.lines, 3, 32, lines.append, bars=False).epoch(1, told)
    assert len(lines) == 1
    assert lines[0].startswith("Epoch[1] ")
    found = {name: re.findall(expression, lines[0]) for name, expression in METRICS.items()}
    expected = {**told, "val_accuracy": 0.8125}
    assert {name: [float(each) for each in every] for name, every in found.items()} == {
        name: [value] for name, value in expected.items()
    }
    # That of the TensorFlow algorithm, as its documentation has it.
    assert re.findall(r"val_accuracy=([0-9\.]+)", lines[0]) == ["0.8125"]


def test_a_long_epoch_is_heard_of_every_half_minute() -> None:
    lines: list[str] = []
    found = EpochLines(metric_definitions.lines, 1, 32, lines.append, bars=False)
    found.step(0, 0, 100)
    assert not lines
    found.told -= QUIET_SECONDS
    found.step(0, 9, 100)
    found.step(0, 10, 100)
    assert len(lines) == 1
    assert re.fullmatch(r"Epoch\[0\] Batch \[10/100\] Speed: 10\.\d\d samples/sec", lines[0])


def test_defaults_are_those_of_the_algorithm_that_has_the_channel() -> None:
    built_in = hyperparameters.read(table_for({"train": None}), {})
    successor = hyperparameters.read(table_for({"training": None}), {})
    for name, expected in {
        "optimizer": ("sgd", "adam"),
        "learning_rate": (0.1, 0.001),
        "batch_size": (32, 32),
        "epochs": (30, 30),
        "momentum": (0.9, 0.9),
        "weight_decay": (0.0001, 0.0001),
        "label_smoothing": (0, 0.1),
        "dropout_rate": (0, 0.2),
        "eps": (1e-8, 1e-7),
        "gamma": (0.9, 0.95),
        "early_stopping_patience": (5, 5),
    }.items():
        assert (built_in[name], successor[name]) == expected, name


MXNET = {
    "num_classes": "10", "num_training_samples": "100", "image_shape": "3,32,32",
    "mini_batch_size": "16", "epochs": "2", "learning_rate": "0.1", "optimizer": "nag",
    "momentum": "0.9", "weight_decay": "0.0001", "beta_1": "0.9", "beta_2": "0.999",
    "eps": "1e-8", "gamma": "0.9", "lr_scheduler_factor": "0.1", "lr_scheduler_step": "10,20",
    "num_layers": "20", "use_pretrained_model": "0", "augmentation_type": "crop_color_transform",
    "resize": "40", "multi_label": "0", "use_weighted_loss": "0", "top_k": "3",
    "early_stopping": "False", "early_stopping_min_epochs": "10", "early_stopping_patience": "5",
    "early_stopping_tolerance": "0.0", "checkpoint_frequency": "1", "precision_dtype": "float32",
    "kv_store": "dist_sync",
}  # fmt: skip

SUCCESSOR = {
    "batch_size": "32", "epochs": "3", "learning_rate": "0.001", "optimizer": "adam",
    "augmentation": "False", "augmentation_random_flip": "horizontal_and_vertical",
    "augmentation_random_rotation": "0.2", "augmentation_random_zoom": "0.1",
    "dropout_rate": "0.2", "label_smoothing": "0.1", "regularizers_l2": "0.0001",
    "train_only_on_top_layer": "False", "image_resize_interpolation": "bilinear",
    "binary_mode": "False", "eval_metric": "accuracy", "early_stopping": "False",
    "early_stopping_min_delta": "0.0", "early_stopping_patience": "5", "momentum": "0.9",
    "reinitialize_top_layer": "Auto", "epsilon": "1e-7", "rho": "0.95", "beta_1": "0.9",
    "beta_2": "0.999", "initial_accumulator_value": "0.1",
}  # fmt: skip


@pytest.mark.parametrize("given", [MXNET, SUCCESSOR], ids=["mxnet", "successor"])
def test_all_hyperparameters_of_both_algorithms_are_read(given: dict[str, str]) -> None:
    found = values(**given)
    ignored = {name for name in given if any(name in each for each in found.warnings)}
    assert ignored <= {
        "num_training_samples",
        "checkpoint_frequency",
        "kv_store",
        "eval_metric",
        "binary_mode",
        "initial_accumulator_value",
    }


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"epoch": "3"}, r"there is no epoch \(did you mean epochs\?\)"),
        ({"epochs": "0"}, "epochs=0 must be a whole number from 1 to"),
        ({"learning_rate": "fast"}, "learning_rate=fast must be a number"),
        ({"optimizer": "adm"}, r"did you mean adam\?"),
        ({"image_shape": "224"}, "channels .1 or 3., height and width, as in 3,224,224"),
        ({"size": "1,2,3"}, "one side in pixels, as in 224, or height and width"),
        ({"resize": "opencv-liner"}, r"did you mean opencv-linear\?"),
        ({"batch_size": "8", "mini_batch_size": "8"}, "are the same; give one of them"),
    ],
)
def test_a_wrong_hyperparameter_is_told(given: dict[str, str], sentence: str) -> None:
    with pytest.raises(HyperparameterError, match=sentence):
        values(**given)


def test_golden_pictures_are_spread_over_the_classes() -> None:
    truth = targets([0] * 50 + [1] * 3 + [2] * 40, 3)
    chosen = finished_model.spread(truth, 10)
    assert len(chosen) == len(set(chosen)) == 10
    assert truth[chosen].sum(axis=0).tolist() == [4, 3, 3]
    assert finished_model.spread(truth[:2], 10) == [0, 1]
