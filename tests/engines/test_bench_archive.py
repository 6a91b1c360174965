"""`plumbline bench` with an archive, which it serves by itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from PIL import Image

from plumbline.cli import main
from plumbline.packing.assembly import Contents, pack

pytestmark = pytest.mark.tensorflow


def test_an_archive_is_served_measured_and_let_go(keras_files: Any, tmp_path: Path) -> None:
    archive, picture, out = (tmp_path / name for name in ("model.tar.gz", "a.png", "bench.json"))
    pack(Contents(keras_files.saved_model, "", place="1"), archive)
    Image.effect_noise((40, 30), 50).convert("RGB").save(picture)

    command = ["bench", archive, "--picture", picture, "--seconds", "1", "--out", out]
    done = CliRunner().invoke(main, [*map(str, command), "--connections", "2"])

    assert done.exit_code == 0, done.output
    (run,) = json.loads(out.read_text())["runs"]
    assert run["requests"] > 10
    assert run["errors"] == 0
