"""Metrics, rates, log lines and hyperparameters, against references."""

from __future__ import annotations

import re

import numpy as np
import pytest
from sklearn import metrics as sklearn_metrics

from plumbline.training import hyperparameters
from plumbline.training.epoch_lines import EpochLines
from plumbline.training.errors import HyperparameterError
from plumbline.training.hyperparameters import Values
from plumbline.training.optimization import learning_rates
from plumbline.training.readers.mask_files import IGNORED
from plumbline.training.segmenters.mask_validation import (
    confused,
    ious,
    losses,
    mean_iou,
    pixel_accuracy,
)
from plumbline.training.segmenters.quality_lines import METRICS, lines_of
from plumbline.training.segmenters.segmentation_spec import declare
from plumbline.training.segmenters.segmentation_table import TABLE


def values(**given: str) -> Values:
    return hyperparameters.read(TABLE, given)


def test_metrics_are_those_of_scikit_learn() -> None:
    noise = np.random.default_rng(0)
    truth = noise.integers(0, 4, (30, 40), np.uint8)
    found = np.where(noise.random((30, 40)) < 0.6, truth, noise.integers(0, 4, (30, 40), np.uint8))
    truth[:5] = IGNORED
    counts = confused(truth, found, 5)
    counted = truth != IGNORED
    each = sklearn_metrics.jaccard_score(truth[counted], found[counted], average=None)
    np.testing.assert_allclose(ious(counts)[:4], each)
    assert np.isnan(ious(counts)[4])
    assert mean_iou(counts) == pytest.approx(each.mean())
    expected = sklearn_metrics.accuracy_score(truth[counted], found[counted])
    assert pixel_accuracy(counts) == pytest.approx(expected)


def test_pixels_that_the_network_did_not_see_are_wrong() -> None:
    truth, found = np.uint8([[0, 0, 1, 1]]), np.uint8([[0, 255, 1, 1]])
    counts = confused(truth, found, 2)
    assert ious(counts).tolist() == [0.5, 1]
    assert pixel_accuracy(counts) == 0.75


def test_the_loss_is_scikit_learns() -> None:
    noise = np.random.default_rng(0)
    logits = noise.normal(0, 3, (2, 6, 7, 3)).astype(np.float32)
    truth = noise.integers(0, 3, (2, 6, 7), np.uint8)
    truth[0, :2] = IGNORED
    total, count = losses(logits, truth)
    counted = truth != IGNORED
    assert count == counted.sum()
    scores = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
    expected = sklearn_metrics.log_loss(truth[counted], scores[counted])
    assert total / count == pytest.approx(expected, rel=1e-5)


def test_the_documented_expressions_find_the_metrics_in_the_log() -> None:
    lines: list[str] = []
    told = {
        "train:loss": 1.25e-05,
        "validation:mIOU": 0.8125,
        "validation:pixel_accuracy": 0.5,
        "validation:loss": 2.0,
    }
    found = EpochLines(lines_of(64, "algo-1", 4), 4, 16, lines.append, bars=False)
    found.begun -= 8
    found.epoch(1, told)
    text = "\n".join(lines)
    read = {name: re.findall(expression, text) for name, expression in METRICS.items()}
    speed = read.pop("train:throughput")
    assert {name: [float(each) for each in every] for name, every in read.items()} == {
        name: [value] for name, value in told.items()
    }
    assert [float(each) for each in speed] == [pytest.approx(8, rel=0.2)]
    assert "#quality_metric: host=algo-1, epoch=1, validation mIOU <score>=(0.8125)" in lines
    assert "#progress_metric: host=algo-1, completed 50 %" in lines


BUILT_IN = {
    "num_classes": "21", "num_training_samples": "1464", "backbone": "resnet-50",
    "algorithm": "fcn", "use_pretrained_model": "True", "base_size": "520", "crop_size": "256",
    "mini_batch_size": "16", "validation_mini_batch_size": "16", "epochs": "10",
    "learning_rate": "0.001", "optimizer": "rmsprop", "momentum": "0.9", "weight_decay": "0.0001",
    "gamma1": "0.9", "gamma2": "0.8", "lr_scheduler": "poly", "lr_scheduler_step": "5,8",
    "lr_scheduler_factor": "0.1", "syncbn": "False", "early_stopping": "False",
    "early_stopping_min_epochs": "5", "early_stopping_patience": "4",
    "early_stopping_tolerance": "0.0",
}  # fmt: skip


def test_all_hyperparameters_of_the_built_in_algorithm_are_read() -> None:
    found = values(**BUILT_IN)
    ignored = {name for name in BUILT_IN if any(name in each for each in found.warnings)}
    assert ignored == {"num_training_samples", "algorithm", "base_size", "syncbn"}
    text, name = declare(found)
    assert name == "resnet50"
    assert "[256, 256]" in text


def test_defaults_are_those_of_the_built_in_algorithm() -> None:
    found = values()
    for name, expected in {
        "batch_size": 16,
        "validation_mini_batch_size": 16,
        "epochs": 10,
        "learning_rate": 0.001,
        "learning_rate_schedule": "poly",
        "optimizer": "sgd",
        "momentum": 0.9,
        "weight_decay": 0.0001,
        "gamma": 0.9,
        "gamma2": 0.9,
        "lr_scheduler_factor": 0.1,
        "early_stopping": False,
        "early_stopping_min_epochs": 5,
        "early_stopping_patience": 4,
        "early_stopping_tolerance": 0,
    }.items():
        assert found[name] == expected, name
    assert "[240, 240]" in declare(found)[0]


def test_the_rate_falls_as_a_polynomial() -> None:
    rate = learning_rates(values(epochs="4"), 10)
    assert [rate(step) for step in (0, 20, 39)] == pytest.approx(
        [0.001, 0.001 * 0.5**0.9, 0.001 * (1 / 40) ** 0.9]
    )


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"num_classes": "255"}, "num_classes=255 must be a whole number from 2 to 254"),
        ({"lr_scheduler": "linear"}, "must be one of poly, step, cosine, constant"),
        ({"cropsize": "240"}, r"did you mean crop_size\?"),
    ],
)
def test_a_wrong_hyperparameter_is_told(given: dict[str, str], sentence: str) -> None:
    with pytest.raises(HyperparameterError, match=sentence):
        values(**given)


def test_a_size_that_does_not_fit_is_told() -> None:
    with pytest.raises(HyperparameterError, match=r"size=240,240 .* resnet50, .* of 32"):
        declare(values(network="resnet50", size="240"))
    with pytest.raises(
        HyperparameterError, match=r"no network 'resnet51' .* did you mean resnet50"
    ):
        declare(values(network="resnet51"))
