"""Golden pictures, through the pipeline that requests take, on archives that were really packed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from plumbline.archive.tarball import unpack
from plumbline.errors import GoldenMismatch
from plumbline.loading.loader import load_models
from plumbline.loading.terms import Terms
from plumbline.packing.assembly import Contents, GoldenPicture, pack

pytestmark = pytest.mark.tensorflow

SPEC = """\
labels = ["a", "b", "c", "d"]

[model]
path = "cnn"

[preprocess]
color = "rgb"
resize = "pillow-bilinear"
normalize = "unit"
"""


@pytest.fixture(scope="module")
def contents(keras_files, tmp_path_factory: pytest.TempPathFactory) -> Contents:
    """A model with two golden pictures, which a notebook preprocessed as `SPEC` declares."""
    folder = tmp_path_factory.mktemp("pictures")
    goldens = []
    for seed in range(2):
        pixels = np.random.default_rng(seed).integers(0, 256, (20, 30, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"{seed}.png")
        small = Image.fromarray(pixels).resize((8, 8), Image.Resampling.BILINEAR)
        expected = keras_files.predict(np.asarray(small, np.float32)[np.newaxis] / 255)
        goldens.append(GoldenPicture(folder / f"{seed}.png", expected))
    return Contents(model=keras_files.saved_model, spec=SPEC, goldens=tuple(goldens))


@pytest.fixture(scope="module")
def packed(contents: Contents, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The packed archive."""
    archive = tmp_path_factory.mktemp("packed") / "model.tar.gz"
    pack(contents, archive)
    return archive


@pytest.fixture
def unpacked(packed: Path, tmp_path: Path) -> Path:
    """Its files, to be changed."""
    folder = tmp_path / "unpacked"
    folder.mkdir()
    unpack(packed, folder)
    return folder


def start(folder: Path) -> None:
    """Load the archive as the server does."""
    load_models(folder, Terms(max_instances=8, cores=2), lambda _: None)


def test_a_right_archive_is_ready(unpacked: Path) -> None:
    start(unpacked)


WRONG: dict[str, Callable[[str], str]] = {
    "normalize": lambda spec: spec.replace('"unit"', '"tf"'),
    "color": lambda spec: spec.replace('"rgb"', '"bgr"'),
    "resize": lambda spec: spec.replace("pillow-bilinear", "pillow-nearest"),
}


@pytest.mark.parametrize("key", WRONG)
def test_a_wrong_declaration_is_found(unpacked: Path, key: str) -> None:
    spec = unpacked / "plumbline.toml"
    spec.write_text(WRONG[key](spec.read_text()))
    # The check of the archive's sums is another one, and has its own tests.
    for sums in unpacked.glob("*manifest*"):
        sums.unlink()

    with pytest.raises(GoldenMismatch) as caught:
        start(unpacked)

    message = caught.value.message
    assert "2 of 2 golden pictures" in message
    assert "0.png" in message or "1.png" in message
    assert "the largest difference is 0." in message
    assert "1e-05 is allowed" in message
    assert key in message


def test_an_archive_that_would_not_serve_is_not_written(contents: Contents, tmp_path: Path) -> None:
    wrong = Contents(contents.model, WRONG["color"](SPEC), goldens=contents.goldens)

    with pytest.raises(GoldenMismatch):
        pack(wrong, tmp_path / "model.tar.gz")

    assert not list(tmp_path.iterdir())


def test_packing_twice_gives_the_same_bytes(
    packed: Path, contents: Contents, tmp_path: Path
) -> None:
    again = tmp_path / "again.tar.gz"
    pack(contents, again)
    assert again.read_bytes() == packed.read_bytes()
