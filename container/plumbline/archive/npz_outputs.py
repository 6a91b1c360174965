"""Named outputs → an `.npz` file, the same bytes every time."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np

from plumbline.vision.arrays import Tensors


def save(file: Path, outputs: Tensors) -> None:
    """Write them as `numpy.savez` does, which can't write an array named "file"."""
    with zipfile.ZipFile(file, "w") as archive:
        for name, tensor in outputs.items():
            # A ZipInfo made here has a fixed date.
            with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as member:
                np.lib.format.write_array(member, np.asarray(tensor), allow_pickle=False)
