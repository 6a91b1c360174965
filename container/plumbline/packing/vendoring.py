"""What code/requirements.txt names and the image has not → code/lib, for the image's Python."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution, distributions
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from plumbline.archive.handler_code import FOLDER, LIBRARIES
from plumbline.archive.handler_errors import HandlerError
from plumbline.errors import PackingError
from plumbline.handlers.requirements import FILE, WHEELS, constraints, is_met, lines, run_pip

PYTHON = "3.13"
"""That of the image."""

MACHINE = "x86_64"

NEWEST_GLIBC = 41
"""The image has glibc 2.41, and takes what was made for it and for older ones."""

SHIPPED = (
    *("boto3", "click", "flask", "gunicorn", "httptools", "numpy", "openvino", "orjson"),
    *(
        "packaging",
        "pillow",
        "prometheus-client",
        "requests",
        "rich",
        "simplejpeg",
        "h5py",
        "tensorflow",
        "tensorflow-cpu",
        "tf_keras",
    ),
)
"""What the image has, with all that these need; the slim one is without the last four."""

LEFT_OUT = ("__pycache__", "*.pyc", ".git", ".DS_Store", ".ipynb_checkpoints")
"""Of a folder of code: what no archive needs."""


def copy(code: Path, archive: Path) -> None:
    """The user's folder as the archive's code/. Raises `PackingError`."""
    if not code.is_dir():
        raise PackingError(f"--code {code} is no folder.")
    ignored = shutil.ignore_patterns(*LEFT_OUT)
    shutil.copytree(code, archive / FOLDER, ignore=ignored, copy_function=shutil.copyfile)


def vendor(archive: Path) -> list[str]:
    """Put into code/lib what the image lacks; the names of what was put there.

    Raises `PackingError`.
    """
    code = archive / FOLDER
    file = code / FILE
    if not file.is_file():
        return []
    image = in_image()
    try:
        wanted = [line for line in lines(file) if not is_met(line, image, code / LIBRARIES)]
        if not wanted:
            return []
        with tempfile.TemporaryDirectory(prefix="plumbline-vendor-") as name:
            install(wanted, image, code / WHEELS, Path(name))
            return moved(Path(name) / LIBRARIES, code / LIBRARIES, image)
    except HandlerError as exc:
        raise PackingError(exc.message) from exc


def in_image() -> dict[str, str]:
    """What an image has, with the versions that are here: names → versions."""
    found: dict[str, str] = {}
    waiting = list(SHIPPED)
    while waiting:
        name = canonicalize_name(waiting.pop())
        try:
            there = distribution(name)
        except PackageNotFoundError:
            continue
        if name not in found:
            found[name] = there.version
            waiting.extend(needs(there))
    return found


def needs(there: Distribution) -> Iterator[str]:
    """The names of what a distribution needs."""
    for text in there.requires or ():
        wanted = Requirement(text)
        if wanted.marker is None or wanted.marker.evaluate({"extra": ""}):
            yield wanted.name


def install(wanted: list[str], image: dict[str, str], wheels: Path, within: Path) -> None:
    """Let pip install for the image's Python. Raises `HandlerError`."""
    file, fixed = within / FILE, within / "constraints.txt"
    file.write_text("\n".join(wanted) + "\n", "utf-8")
    fixed.write_text(constraints(image), "utf-8")
    tags = [f"manylinux_2_{minor}_{MACHINE}" for minor in range(NEWEST_GLIBC, 4, -1)]
    platforms = [f"--platform={tag}" for tag in (*tags, f"manylinux2014_{MACHINE}")]
    local = ["--find-links", str(wheels)] if wheels.is_dir() else []
    run_pip(
        [
            *("--requirement", str(file), "--constraint", str(fixed), "--no-compile"),
            *("--only-binary=:all:", "--implementation=cp", f"--python-version={PYTHON}"),
            *(*platforms, *local, "--target", str(within / LIBRARIES)),
        ],
        f"{FOLDER}/{FILE}",
    )


def moved(fresh: Path, target: Path, image: dict[str, str]) -> list[str]:
    """Keep what the image has not; the names of that."""
    shutil.rmtree(fresh / "bin", ignore_errors=True)
    kept = []
    for each in distributions(path=[str(fresh)]):
        if canonicalize_name(each.name) not in image:
            kept.append(f"{each.name} {each.version}")
            continue
        for entry in each.files or ():
            Path(str(each.locate_file(entry))).unlink(missing_ok=True)
    for folder in sorted(fresh.rglob("*/"), reverse=True):
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()
    shutil.copytree(fresh, target, dirs_exist_ok=True, copy_function=shutil.copyfile)
    return sorted(kept, key=str.lower)
