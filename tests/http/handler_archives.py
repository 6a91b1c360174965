"""Archives with a handler of the zoo, around the fake engine."""

from __future__ import annotations

import io
import shutil
from pathlib import Path

import numpy as np
from PIL import Image

ZOO = Path(__file__).parents[1] / "handlers_zoo"


def archive(root: Path, name: str) -> Path:
    """A folder with a SavedModel, which the tests exchange for the fake engine, and its code/."""
    folder = root / "digits" / "1"
    (folder / "variables").mkdir(parents=True)
    (folder / "saved_model.pb").write_bytes(b"\x08\x01")
    (folder / "variables" / "variables.index").write_bytes(b"index")
    (folder / "variables" / "variables.data-00000-of-00001").write_bytes(b"data")
    (root / "plumbline.toml").write_text('[preprocess]\nnormalize = "unit"\n')
    np.save(root / "weights.npy", np.array([[1.0, 2.0], [3.0, 4.0]]))
    shutil.copytree(ZOO / name, root / "code")
    return root


def flat(level: int) -> bytes:
    """A picture of one colour: the fake engine puts all of it into one class."""
    stream = io.BytesIO()
    Image.new("RGB", (40, 30), (level, level, level)).save(stream, "PNG")
    return stream.getvalue()
