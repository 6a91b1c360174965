"""The image without TensorFlow: what it is for, and what it says of the rest."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from running_container import Running, running, wait_until

pytestmark = [pytest.mark.docker, pytest.mark.tensorflow]

MEGABYTE = 1_000_000


@pytest.fixture(scope="module")
def slim(docker_client: Any, slim_image: Any, model: Path) -> Iterator[Running]:
    """The demo's archive, served."""
    with running(docker_client, slim_image.id, model) as started:
        wait_until(started.is_ready)
        yield started


def test_it_is_small(slim_image: Any) -> None:
    assert slim_image.attrs["Size"] < 450 * MEGABYTE


def test_it_answers_for_a_packed_archive_as_keras_does(
    slim: Running, demo: Any, expect: Callable[[bytes], np.ndarray]
) -> None:
    for label, picture in demo.pictures.items():
        scores = slim.invoke(picture).scores
        assert next(iter(scores)) == label
        assert max(scores.values()) == pytest.approx(expect(picture).max(), abs=1e-5)


def test_it_tells_how_far_its_answers_are_from_the_notebooks(slim: Running) -> None:
    answer = slim.ask("GET", "/metrics")

    values = dict(
        line.rsplit(" ", 1) for line in answer.body.decode().splitlines() if line[:1] != "#"
    )
    assert float(values["plumbline_golden_pictures"]) > 0
    assert 0 <= float(values["plumbline_golden_worst_ratio"]) <= 1
    assert float(values["plumbline_metrics_partial"]) == 0
    assert [name for name in values if 'target="slim"' in name and 'tensorflow=""' in name]
    assert [name for name in values if 'engine="openvino"' in name]


def test_it_says_what_to_do_with_an_archive_that_was_not_packed(
    docker_client: Any, slim_image: Any, model: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(model, folder, ignore=shutil.ignore_patterns("accelerated", "manifest.json"))
    with running(docker_client, slim_image.id, folder) as started:
        wait_until(lambda: "no tensorflow" in started.said())
        assert "Make the archive with plumbline pack" in started.said()
