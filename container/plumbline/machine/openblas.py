"""NumPy's OpenBLAS, told not to start threads of its own under ours.

Its threads wait for each other by spinning; beside one of ours for each core, that is three times
the work. The server says so in its environment (`serve`), but where NumPy is loaded already, only
the library itself can be told.
"""

from __future__ import annotations

import ctypes
from pathlib import Path

MAPS = Path("/proc/self/maps")

SETTERS = (
    "scipy_openblas_set_num_threads64_",
    "scipy_openblas_set_num_threads",
    "openblas_set_num_threads64_",
    "openblas_set_num_threads",
)
"""Its function for that, as NumPy's wheels and the distributions call it."""


def compute_in_calling_threads() -> None:
    """Let each product of matrices take the thread that asks for it, and no other.

    Where another library multiplies for NumPy, or there are no maps of memory, nothing happens.
    """
    for path in loaded():
        library = ctypes.CDLL(path)
        for name in SETTERS:
            if hasattr(library, name):
                getattr(library, name)(1)


def loaded() -> set[str]:
    """The files of OpenBLAS that this process has loaded."""
    lines = MAPS.read_text().splitlines() if MAPS.exists() else []
    return {line.split(maxsplit=5)[5] for line in lines if "openblas" in line}
