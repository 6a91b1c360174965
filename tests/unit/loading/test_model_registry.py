"""Models by name and version."""

from __future__ import annotations

from typing import Any

import pytest

from plumbline.engines.fake import FakeEngine
from plumbline.errors import ModelNotFound
from plumbline.loading.model_registry import LoadedModel, Registry
from plumbline.pipeline.stages import Pipeline
from plumbline.spec.model_spec import ModelSpec
from plumbline.tasks.task_table import make_task
from plumbline.vision.images import Limits
from plumbline.wire.request_options import read_options


@pytest.fixture
def pipeline() -> Pipeline:
    spec = ModelSpec()
    return Pipeline(spec, FakeEngine(), make_task(spec, None), Limits(), 1)


@pytest.fixture
def registry(pipeline: Pipeline) -> Registry:
    """The default is not the first by its name."""
    places = (("cats", 3), ("cats", 1), ("bees", 20), ("bees", 3))
    return Registry(tuple(LoadedModel(name, version, pipeline) for name, version in places))


@pytest.mark.parametrize(
    ("options", "chosen"),
    [
        ({}, "cats/3"),
        ({"top_k": 1}, "cats/3"),
        ({"tfs-model-name": "bees"}, "bees/20"),
        ({"tfs-model-version": 1}, "cats/1"),
        ({"tfs-model-name": "bees", "tfs-model-version": 3}, "bees/3"),
    ],
)
def test_what_a_request_leaves_open_is_the_default_and_the_highest(
    options: dict[str, Any], chosen: str, registry: Registry
) -> None:
    assert str(registry.choose(options)) == chosen


@pytest.mark.parametrize(
    ("options", "asked"),
    [
        ({"tfs-model-name": "dogs"}, "Latest(dogs)"),
        ({"tfs-model-version": 20}, "Specific(cats, 20)"),
        ({"tfs-model-name": ""}, "Latest()"),
    ],
)
def test_what_is_not_there_is_an_error_that_lists_what_is(
    options: dict[str, Any], asked: str, registry: Registry
) -> None:
    with pytest.raises(ModelNotFound) as caught:
        registry.choose(options)
    assert caught.value.status == 404
    assert caught.value.message == (
        f"Servable not found for request: {asked}. tfs-model-name and tfs-model-version can choose "
        "one of cats/3, cats/1, bees/20, bees/3."
    )


def test_a_registry_of_one(pipeline: Pipeline) -> None:
    registry = Registry.of(pipeline)
    assert str(registry.default) == "model/1"
    assert registry.default.pipeline is pipeline


def test_versions_are_read_as_numbers() -> None:
    options = read_options("tfs-model-name=bees, tfs-model-version=007,x=1")
    assert options == {"tfs-model-name": "bees", "tfs-model-version": 7}
