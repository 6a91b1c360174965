"""`plumbline transform` with a packed archive, against the notebook that the model is from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from plumbline.archive.tarball import unpack
from plumbline.cli import main
from plumbline.packing.assembly import Contents, GoldenPicture, pack

pytestmark = pytest.mark.tensorflow

SPEC = """\
labels = ["a", "b", "c", "d"]

[preprocess]
resize = "pillow-bilinear"
normalize = "unit"

[classification]
top_k = 4
"""


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve pictures of several sizes, in two folders."""
    folder = tmp_path_factory.mktemp("photos")
    for seed in range(12):
        random = np.random.default_rng(seed)
        pixels = random.integers(0, 256, (20 + seed, 30 + 2 * seed, 3), np.uint8)
        file = folder / str(seed % 2) / f"{seed}.png"
        file.parent.mkdir(exist_ok=True)
        Image.fromarray(pixels).save(file)
    return folder


def expected(keras_files: Any, picture: Path) -> np.ndarray:
    """What the notebook says of a picture `[4]`."""
    small = Image.open(picture).resize((8, 8), Image.Resampling.BILINEAR)
    scores: np.ndarray = keras_files.predict(np.asarray(small, np.float32)[np.newaxis] / 255)[0]
    return scores


@pytest.mark.parametrize("golden", [True, False])
def test_every_line_says_what_the_notebook_says(
    golden: bool, keras_files: Any, photos: Path, tmp_path: Path
) -> None:
    first = photos / "0" / "0.png"
    goldens = (GoldenPicture(first, expected(keras_files, first)[np.newaxis]),) if golden else ()
    archive = tmp_path / "model.tar.gz"
    pack(Contents(keras_files.saved_model, SPEC, goldens=goldens, place="1"), archive)

    command = ["transform", str(photos), "--model", str(archive), "--out", str(tmp_path / "out")]
    done = CliRunner().invoke(main, command)

    assert done.exit_code == 0, done.output
    assert ("no golden pictures" in done.stderr) is not golden
    lines = (tmp_path / "out" / "predictions.jsonl").read_text().splitlines()
    assert len(lines) == 12
    for line in map(json.loads, lines):
        scores = {found["class_id"]: found["score"] for found in line["classes"]}
        np.testing.assert_allclose(
            [scores[index] for index in range(4)],
            expected(keras_files, photos / line["file"]),
            rtol=0,
            atol=1e-5,
        )


def test_an_archive_and_its_folder_are_the_same_model(
    keras_files: Any, photos: Path, tmp_path: Path
) -> None:
    archive, folder = tmp_path / "model.tar.gz", tmp_path / "unpacked"
    pack(Contents(keras_files.saved_model, SPEC, place="1"), archive)
    folder.mkdir()
    unpack(archive, folder)

    results = tmp_path / "out" / "predictions.jsonl"
    written = []
    for model in (archive, folder):
        command = ["transform", str(photos), "--model", str(model), "--out", str(results.parent)]
        assert CliRunner().invoke(main, command).exit_code == 0
        written.append(results.read_bytes())
        results.write_bytes(written[-1][:200])
    assert written[0] == written[1]
