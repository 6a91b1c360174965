"""Models that were trained in mixed precision → the same weights in float32 arithmetic.

Half precision is there for the speed of GPUs. On a CPU it is slower, and TensorFlow's own rounding
of each layer is nothing that another engine gives again.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from plumbline.archive import hdf5
from plumbline.archive.keras_config import Config, inner, objects, text

MIXED = frozenset({"mixed_float16", "mixed_bfloat16"})

HALF = frozenset({"float16", "bfloat16"})

FULL = "float32"

CONFIG = "config.json"


def policies(config: Config) -> list[str]:
    """The policies of less than float32 that layers are computed by."""
    return sorted({name for entry in objects(config) if (name := policy(entry))})


def policy(entry: Config) -> str | None:
    """Such a policy, if the object is one, or a layer that names one."""
    if (dtype := text(entry, "dtype")) in MIXED:
        return dtype
    name = text(inner(entry), "name")
    is_policy = text(entry, "class_name").endswith("Policy")
    return name if is_policy and name in MIXED | HALF else None


def in_float32(value: Any) -> Any:
    """The config with float32 in the place of such policies."""
    if isinstance(value, list):
        return [in_float32(each) for each in value]
    if not isinstance(value, dict):
        return value
    changed = {key: in_float32(each) for key, each in value.items()}
    if policy(value):
        if text(value, "dtype") in MIXED:
            changed["dtype"] = FULL
        else:
            changed["config"] = {**changed["config"], "name": FULL}
    return changed


@contextmanager
def rewritten(file: Path, config: Config, name: str) -> Iterator[Path]:
    """A copy of a whole model's file, under another name, with this config in it."""
    with tempfile.TemporaryDirectory(prefix="plumbline-") as folder:
        copy = Path(folder, name)
        write = write_hdf5 if hdf5.is_hdf5(file) else write_zip
        write(file, copy, json.dumps(config))
        yield copy


def write_zip(file: Path, copy: Path, config: str) -> None:
    """A `.keras` file."""
    with zipfile.ZipFile(file) as source, zipfile.ZipFile(copy, "w") as target:
        for info in source.infolist():
            if info.filename == CONFIG:
                target.writestr(CONFIG, config)
            else:
                with source.open(info) as read, target.open(info.filename, "w") as written:
                    shutil.copyfileobj(read, written)


def write_hdf5(file: Path, copy: Path, config: str) -> None:
    """A whole model in HDF5."""
    h5py = hdf5.library()
    shutil.copyfile(file, copy)
    copy.chmod(0o600)
    with h5py.File(copy, "r+") as opened:
        opened.attrs["model_config"] = config.encode()
