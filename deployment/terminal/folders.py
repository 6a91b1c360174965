"""Folders of this machine → the channels of a training job."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from deployment.errors import Misuse
from deployment.plan import manifest
from deployment.plan.training import Channel, Folder
from deployment.terminal.parsing import sha256
from deployment.terminal.progress import say

ONLY = "training"
"""The channel that a folder is that holds no folders called as channels."""

CHANNELS = {
    *("training", "train", "validation", "test", "model", "label_map"),
    *("train_lst", "validation_lst", "train_annotation", "validation_annotation"),
    *("train_pictures", "validation_pictures", "training_pictures"),
}
"""The channels that the recipes know; folders of other names are classes."""

LEFT = ("__pycache__", "node_modules")
"""Folders that belong to no code."""

MOST_CODE = 100 * 1024**2
"""Bytes beside a script that are likely there by mistake."""


def places(data: str, option: str = "--data") -> dict[str, Path]:
    """The channels that a folder holds, or the one that it is. Raises `Misuse` for none."""
    path = Path(data)
    if path.is_file() and path.name.endswith(manifest.ENDINGS):
        return {ONLY: path}
    if not path.is_dir():
        raise Misuse(
            f"{option} {data}: there is no such folder. Name one with pictures, an augmented "
            f"manifest (a file that ends in {' or '.join(manifest.ENDINGS)}), or s3://…."
        )
    found = {each.name: each for each in sorted(path.iterdir()) if each.is_dir()}
    known = {name: each for name, each in found.items() if name in CHANNELS}
    if known and (others := [name for name in found if name not in known and name[0] != "."]):
        say(
            f"Channels of {data} are {', '.join(known)}; no channels, and left out, are "
            f"{', '.join(others)}."
        )
    return known or {ONLY: path}


def channels(name: str, place: Path) -> tuple[Channel, ...]:
    """A channel with all files; of an augmented manifest two, as its pictures are another."""
    root = place.parent if place.is_file() else place
    files = [place] if place.is_file() else list(visible(place))
    if not files:
        raise Misuse(f"{place} holds no files: there is nothing to learn from.")
    listing = [file for file in files if file.name.endswith(manifest.ENDINGS)]
    if not listing:
        return (of_files(name, root, files),)
    return (of_files(name, root, listing), pictures(f"{name}_pictures", root, listing))


def pictures(name: str, root: Path, manifests: Iterable[Path]) -> Channel:
    """The pictures of manifests: the files beside them, or where they lie in S3."""
    named: dict[str, str] = {}
    for file in manifests:
        named = {**manifest.sources(text_of(file), str(file)), **named}
    found = {url: file_of(url, root) for url in named}
    here = [file for file in found.values() if file]
    if not here:
        folder = manifest.common_folder(named, ", ".join(str(file) for file in manifests))
        return Channel(name, url=folder, streamed=True)
    if lacking := [url for url, file in found.items() if not file]:
        say(
            f"Warning: {len(lacking):,} of {len(found):,} pictures are not in {root}, where the "
            f"others are: {named[lacking[0]]}: {lacking[0]}. The job leaves them out, or fails if "
            "max_bad allows fewer."
        )
    return of_files(name, root, here)


def file_of(url: str, root: Path) -> Path | None:
    """The file in a folder that an address ends with, the longest path first."""
    parts = [part for part in PurePosixPath(urlsplit(url).path).parts if part not in ("/", "..")]
    candidates = (root.joinpath(*parts[start:]) for start in range(len(parts)))
    return next((each for each in candidates if each.is_file()), None)


def text_of(file: Path) -> str:
    """A manifest's text. Raises `Misuse`."""
    try:
        return file.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as exc:
        raise Misuse(f"{file} can't be read as UTF-8 text: {exc}.") from exc


def code(script: Path) -> Channel:
    """The folder of a script, as the channel `code`. Raises `Misuse`."""
    if not script.is_file():
        raise Misuse(f"--script {script}: there is no such file.")
    files = [each for each in visible(script.parent) if not {*each.parts} & {*LEFT}]
    channel = of_files("code", script.parent, files)
    if channel.size > MOST_CODE:
        raise Misuse(
            f"The folder of {script} holds {channel.size / 1024**2:,.0f} MB, and all of it would "
            "go along as code: put the script, and what it imports, in a folder of its own."
        )
    return channel


def visible(folder: Path) -> Iterator[Path]:
    """The files below a folder, but for hidden ones."""
    for file in sorted(folder.rglob("*")):
        hidden = any(part.startswith(".") for part in file.relative_to(folder).parts)
        if file.is_file() and not hidden:
            yield file


def of_files(name: str, root: Path, files: Iterable[Path]) -> Channel:
    """A channel of these files, by their paths below a folder."""
    found = {file.relative_to(root).as_posix(): file for file in files}
    size = sum(file.stat().st_size for file in found.values())
    return Channel(name, Folder(found, digest(found), size), size=size)


def digest(files: Mapping[str, Path]) -> str:
    """What follows from all paths and all content, in hexadecimal digits."""
    whole = hashlib.sha256()
    for path, file in sorted(files.items()):
        whole.update(f"{sha256(file)} {path}\n".encode())
    return whole.hexdigest()
