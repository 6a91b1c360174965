"""The versions of the libraries that an archive was proven with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib.metadata import PackageNotFoundError, version

DISTRIBUTIONS: Mapping[str, Iterable[str]] = {
    "tensorflow": ("tensorflow", "tensorflow-cpu", "tensorflow-macos"),
    "keras": ("keras",),
    "tf_keras": ("tf_keras",),
    "pillow": ("pillow",),
    "numpy": ("numpy",),
}
"""Each library, and the packages that bring it."""


def installed() -> dict[str, str]:
    """What is installed here, by library."""
    found = {library: first(packages) for library, packages in DISTRIBUTIONS.items()}
    return {library: number for library, number in found.items() if number}


def first(packages: Iterable[str]) -> str | None:
    """The version of the first of the packages that is installed."""
    for package in packages:
        try:
            return version(package)
        except PackageNotFoundError:
            continue
    return None
