"""Priors, targets, crops, hyperparameters and log lines, against references."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from pycocotools import mask as coco

from plumbline.training import hyperparameters
from plumbline.training.errors import HyperparameterError
from plumbline.training.hyperparameters import Values
from plumbline.training.networks.prior_boxes import priors
from plumbline.training.object_detectors import prior_clusters
from plumbline.training.object_detectors.detection_lines import METRICS, DetectionLines
from plumbline.training.object_detectors.detection_table import TABLE, table_for
from plumbline.training.object_detectors.moved_boxes import Augmentation, within
from plumbline.training.object_detectors.prior_targets import overlaps, targets
from plumbline.vision.priors import decode


def values(**given: str) -> Values:
    return hyperparameters.read(TABLE, given)


def some_boxes(count: int, seed: int = 0) -> np.ndarray:
    """Corners `[n, 4]` from 0 to 1."""
    noise = np.random.default_rng(seed)
    corners = noise.uniform(0, 0.8, (count, 2))
    return np.concatenate([corners, corners + noise.uniform(0.02, 0.2, (count, 2))], axis=1)


def xywh(boxes: np.ndarray) -> np.ndarray:
    """As pycocotools takes them."""
    return np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], axis=1)


def test_overlaps_are_those_of_pycocotools() -> None:
    boxes, others = some_boxes(20), some_boxes(30, seed=1)
    expected = coco.iou(xywh(boxes), xywh(others), [0] * 30)
    np.testing.assert_allclose(overlaps(boxes, others), expected, atol=1e-9)
    sizes, middles = xywh(boxes)[:, 2:], xywh(others)[:, 2:]
    in_corner = [np.concatenate([0 * each, each], axis=1) for each in (sizes, middles)]
    expected = coco.iou(*in_corner, [0] * 30)
    np.testing.assert_allclose(prior_clusters.overlaps(sizes, middles), expected, atol=1e-9)


def test_priors_are_the_clusters_of_the_boxes() -> None:
    noise = np.random.default_rng(3)
    middles = np.array([[10, 12], [40, 20], [30, 90], [120, 110]], float)
    sizes = np.concatenate([each * noise.uniform(0.9, 1.1, (50, 2)) for each in middles])
    expected = [sizes[begin : begin + 50].mean(axis=0) for begin in range(0, 200, 50)]
    found = prior_clusters.clusters(noise.permutation(sizes), 4, seed=0)
    np.testing.assert_allclose(found, expected)
    assert prior_clusters.mean_overlap(sizes, found) > 0.8
    same = np.tile([[20.0, 30.0]], (5, 1))
    np.testing.assert_array_equal(prior_clusters.clusters(same, 9, 0), [[20, 30]])


def test_small_priors_are_on_fine_maps() -> None:
    maps = prior_clusters.maps_for(np.array([[8, 8], [20, 20], [70, 60], [150, 140]]), (160, 320))
    assert [each.stride for each in maps] == [8, 32, 64]
    assert maps[0].sides == ((8 / 320, 8 / 160), (20 / 320, 20 / 160))


def test_what_a_prior_is_to_say_is_read_by_the_server_as_the_box_that_it_is_to_find() -> None:
    boxes, class_ids = some_boxes(6), np.array([0, 1, 2, 0, 1, 2])
    found = priors(((0.1, 0.1), (0.2, 0.1)), 12, 10)
    wanted = targets(boxes, class_ids, found, 3, 0.5)
    chosen = wanted[:, 4] < 3
    read = decode(wanted[chosen, :4], found[chosen, :4], found[chosen, 4:])
    meant = overlaps(boxes, read).argmax(axis=0)
    np.testing.assert_allclose(read, boxes[meant], atol=1e-5)
    np.testing.assert_array_equal(wanted[chosen, 4], class_ids[meant])
    assert set(meant) == set(range(6))
    near = overlaps(boxes, found[:, :4]).max(axis=0) >= 0.5
    assert chosen[near].all()
    assert (targets(boxes[:0], class_ids[:0], found, 3, 0.5)[:, 4] == 3).all()


@pytest.mark.parametrize("flip", ["none", "horizontal_and_vertical"])
def test_a_crop_shows_one_box_at_least_and_only_what_is_in_the_picture(flip: str) -> None:
    augmentation = Augmentation(values(augmentation_type="crop", augmentation_random_flip=flip), 3)
    seen = set()
    for number in range(200):
        boxes = some_boxes(3, number)
        window = augmentation.window(boxes, np.random.default_rng(number))
        cut, there = within(boxes, window)
        assert there.any()
        assert (cut[there, 2:] > cut[there, :2]).all()
        low, high = np.minimum(window[:2], window[2:]), np.maximum(window[:2], window[2:])
        side = high - low
        assert ((low >= -1e-9) & (high <= 1 + 1e-9) | (side > 1)).all()
        whole = ((boxes[:, :2] >= low - 1e-9) & (boxes[:, 2:] <= high + 1e-9)).all(axis=1)
        assert whole.any()
        # A box that is whole is as large a share of what is seen as it was of the picture.
        expected = np.prod(boxes[whole, 2:] - boxes[whole, :2], axis=1) / np.prod(side)
        found = np.prod(cut[whole, 2:] - cut[whole, :2], axis=1)
        np.testing.assert_allclose(found, expected)
        seen.add((window[0] > window[2], window[1] > window[3]))
    assert len(seen) == (1 if flip == "none" else 4)


def test_no_augmentation_is_none_of_any_kind() -> None:
    pictures = np.random.default_rng(0).integers(0, 256, (16, 8, 8, 3)).astype(np.float32)
    boxes = [some_boxes(2, number) for number in range(16)]
    augmentation = Augmentation(values(augmentation_type="none"), 3)
    moved, found = augmentation.moved(pictures, boxes, 0, 0)
    np.testing.assert_array_equal(moved, pictures)
    for (corners, there), each in zip(found, boxes, strict=True):
        np.testing.assert_array_equal(corners, each)
        assert there.all()
    assert Augmentation(values(), 3).across
    flipped = values(augmentation_type="none", augmentation_random_flip="horizontal")
    assert Augmentation(flipped, 3).across


TOLD = {
    "train:loss": 1.5,
    "train:smooth_l1": 0.61,
    "train:cross_entropy": 1.25e-05,
    "validation:mAP": 0.52,
    "validation:mAP_50_95": 0.25,
    "validation:smooth_l1": 0.125,
}


def test_the_documented_expressions_find_the_metrics_in_the_log() -> None:
    lines = list(DetectionLines("algo-1", 10, 20, 50).lines(3, TOLD, 2.0))
    log = "\n".join(lines)
    assert "#quality_metric: host=algo-1, epoch=3, batch=20 train smooth_l1 <loss>=0.61" in lines
    assert "#quality_metric: host=algo-1, epoch=3, validation mAP <score>=(0.52)" in lines
    found = {name: re.findall(expression, log) for name, expression in METRICS.items()}
    assert {name: [float(each) for each in every] for name, every in found.items()} == {
        "train:smooth_l1": [0.61],
        "train:cross_entropy": [1.25e-05],
        "train:throughput": [25.0],
        "train:progress": [40.0],
        "validation:mAP": [0.52],
        "validation:mAP_50_95": [0.25],
        "Val_localization": [0.125],
    }


MXNET = {
    "num_classes": "2", "num_training_samples": "100", "base_network": "vgg-16",
    "image_shape": "300", "mini_batch_size": "16", "epochs": "2", "learning_rate": "0.001",
    "optimizer": "adadelta", "momentum": "0.9", "weight_decay": "0.0005",
    "lr_scheduler_step": "10,20", "lr_scheduler_factor": "0.1", "nms_threshold": "0.45",
    "overlap_threshold": "0.5", "use_pretrained_model": "0", "label_width": "350",
    "freeze_layer_pattern": "block1", "early_stopping": "False", "early_stopping_min_epochs": "10",
    "early_stopping_patience": "5", "early_stopping_tolerance": "0.0", "kv_store": "dist_sync",
}  # fmt: skip

SUCCESSOR = {
    "batch_size": "3", "epochs": "5", "learning_rate": "0.001", "optimizer": "adam",
    "momentum": "0.9", "beta_1": "0.9", "beta_2": "0.999", "epsilon": "1e-7", "rho": "0.95",
    "early_stopping": "False", "early_stopping_patience": "5", "early_stopping_min_delta": "0.0",
    "reinitialize_top_layer": "Auto", "train_only_on_top_layer": "False",
    "initial_accumulator_value": "0.1",
}  # fmt: skip


@pytest.mark.parametrize("given", [MXNET, SUCCESSOR], ids=["mxnet", "successor"])
def test_all_hyperparameters_of_both_algorithms_are_read(given: dict[str, str]) -> None:
    found = values(**given)
    ignored = {name for name in given if any(name in each for each in found.warnings)}
    assert ignored <= {
        "num_training_samples",
        "label_width",
        "kv_store",
        "initial_accumulator_value",
    }


def test_defaults_are_those_of_the_algorithm_that_has_the_channel() -> None:
    built_in = hyperparameters.read(table_for({"train": None}), {})
    successor = hyperparameters.read(table_for({"training": None}), {})
    for name, expected in {
        "optimizer": ("sgd", "adam"),
        "learning_rate": (0.001, 0.001),
        "batch_size": (32, 3),
        "epochs": (30, 30),
        "weight_decay": (0.0005, 0.0005),
        "overlap_threshold": (0.5, 0.5),
        "nms_threshold": (0.45, 0.45),
    }.items():
        assert (built_in[name], successor[name]) == expected, name


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"image_shape": "x"}, "image_shape=x must be one side in pixels, as in 300, or 3,300,300"),
        ({"nms_treshold": "0.4"}, r"there is no nms_treshold \(did you mean nms_threshold\?\)"),
        ({"overlap_threshold": "5"}, "must be a number from 0.1 to 0.95"),
        ({"base_network": "a", "network": "b"}, "are the same; give one of them"),
    ],
)
def test_a_wrong_hyperparameter_is_told(given: dict[str, Any], sentence: str) -> None:
    with pytest.raises(HyperparameterError, match=sentence):
        values(**given)


@pytest.mark.parametrize(
    ("given", "expected"), [("300", (300, 300)), ("3,300,400", (300, 400)), ("96,128", (96, 128))]
)
def test_sizes_are_read_in_each_form(given: str, expected: tuple[int, int]) -> None:
    assert values(image_shape=given)["image_shape"] == expected
