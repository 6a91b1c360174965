"""What looks like a model and is none: a file's first bytes → a sentence that says what it is.

The name is asked only where the bytes say nothing. Nothing is unpickled, unpacked or run.
"""

from __future__ import annotations

import os
import re
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from plumbline.archive import foreign_formats as formats
from plumbline.archive import hdf5, saved_model
from plumbline.errors import PlumblineError

HEAD = 4096
"""Bytes from the beginning that are looked at."""

MOST_LISTED = 10_000
"""Files of a zip whose names are looked at."""

NEVER_TEXT = (".keras", ".h5", ".hdf5", ".pb", ".index", ".ckpt")
"""Names of what is read here, which a text never is."""


@dataclass(frozen=True)
class Sample:
    """A file's beginning and end; `name` is what messages call it."""

    file: Path
    name: str

    @cached_property
    def size(self) -> int:
        """In bytes."""
        return self.file.stat().st_size

    @cached_property
    def head(self) -> bytes:
        """The first bytes."""
        with self.file.open("rb") as stream:
            return stream.read(HEAD)

    @cached_property
    def tail(self) -> bytes:
        """The last eight bytes."""
        with self.file.open("rb") as stream:
            stream.seek(-min(8, self.size), os.SEEK_END)
            return stream.read()

    @property
    def suffix(self) -> str:
        """The ending of its name."""
        return self.file.suffix.lower()

    @cached_property
    def text(self) -> str | None:
        """The beginning as text without white space around it; None where it is none."""
        try:
            found = self.head[: HEAD - 4].decode("utf-8-sig").strip()
        except UnicodeDecodeError:
            return None
        return found if not re.search(r"[\x00-\x08\x0e-\x1f]", found) else None

    @cached_property
    def members(self) -> list[str]:
        """The names in a zip; none where it is none."""
        if not self.head.startswith(b"PK"):
            return []
        try:
            with zipfile.ZipFile(self.file) as archive:
                return archive.namelist()[:MOST_LISTED]
        except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
            return []


def told(file: Path, name: str = "") -> str | None:
    """What a file is, and what makes a model of it; None for one that may be a model, or anything.

    `name` is what the sentence calls it.
    """
    if not file.is_file():
        return None
    sample = Sample(file, name or file.name)
    try:
        found = next((said for look in LOOKS if (said := look(sample))), None)
    except (OSError, PlumblineError):
        return None
    return f"{sample.name} {found}" if found else None


def not_the_file(file: Path, name: str = "") -> str | None:
    """What stands in the place of a file that was not copied: a pointer, or a web page."""
    if not file.is_file():
        return None
    sample = Sample(file, name or file.name)
    try:
        found = next((said for look in STAND_INS if (said := look(sample))), None)
    except OSError:
        return None
    return f"{sample.name} {found}" if found else None


def pointer(sample: Sample) -> str | None:
    """A note of a tool that keeps large files elsewhere."""
    for begins, said in formats.POINTERS.items():
        if sample.size <= HEAD and sample.head.startswith(begins):
            return said
    return formats.DVC if sample.suffix == ".dvc" else None


def web_page(sample: Sample) -> str | None:
    """What a web server answered in the stead of the file."""
    text = (sample.text or "").lower()
    copied = sample.suffix.startswith(formats.COPIED_SUFFIXES) or not sample.suffix
    return formats.WEB_PAGE if copied and text.startswith(formats.ERROR_DOCUMENTS) else None


def nothing(sample: Sample) -> str | None:
    """A file without bytes, or without any but zeros."""
    if sample.suffix in formats.MODEL_SUFFIXES and not sample.head.strip(b"\0"):
        return formats.ZEROS if sample.size else formats.EMPTY
    return None


def other_text(sample: Sample) -> str | None:
    """A text under the name of what is never one."""
    text = sample.text
    if text and sample.suffix in NEVER_TEXT and not formats.OLD_PICKLE.match(text):
        first = text.splitlines()[0][:60]
        return f"is a text, not a model: it begins with {first!r}. {formats.COPY_ANEW}"
    return None


STAND_INS: tuple[Callable[[Sample], str | None], ...] = (pointer, web_page)


def by_magic(sample: Sample) -> str | None:
    """By the bytes that a format has at some place."""
    for (place, magic), said in formats.MAGIC.items():
        if sample.head[place : place + len(magic)] == magic:
            return formats.filled(said, sample.name)
    return None


def checkpoint(sample: Sample) -> str | None:
    """The index or the graph of a training checkpoint, or TensorFlow's note of the newest."""
    if sample.head.startswith(b"model_checkpoint_path:"):
        found = re.search(rb'"([^"]+)"', sample.head)
        newest = found[1].decode("utf-8", "replace") if found else "ckpt"
        beside = Path(sample.name).with_name(Path(newest).name).as_posix()
        return formats.checkpoint(beside, first=sample.file)
    is_index = sample.tail == formats.TABLE_END and sample.file.name != "variables.index"
    is_part = sample.suffix == ".meta" or re.search(formats.SHARD, sample.file.name)
    if is_index or (is_part and not sample.file.name.startswith("variables.")):
        prefix = re.sub(rf"(\.index|\.meta|{formats.SHARD})$", "", sample.name)
        return formats.checkpoint(prefix, first=sample.file)
    return None


def zipped(sample: Sample) -> str | None:
    """By the names in a zip."""
    names = sample.members
    if not names or "config.json" in names:
        return None
    if any(name.endswith("data.pkl") for name in names):
        with zipfile.ZipFile(sample.file) as archive:
            pickle = next(name for name in names if name.endswith("data.pkl"))
            with archive.open(pickle) as stream:
                head = stream.read(1 << 20)
        return formats.pytorch(sample.name, head)
    for part, said in formats.ZIPPED.items():
        if any(name.rpartition("/")[2] == part for name in names):
            return formats.filled(said, sample.name)
    if all(name.endswith(".npy") for name in names):
        return formats.ARRAYS
    return None


def onnx(sample: Sample) -> str | None:
    """ONNX has no magic: it is a message of a version, names, and a graph in field 7."""
    if formats.ONNX_BEGINS.match(sample.head) or sample.suffix == ".onnx":
        return formats.filled(formats.ONNX, sample.name)
    return None


def weights(sample: Sample) -> str | None:
    """HDF5 without an architecture."""
    if sample.head.startswith(b"MATLAB"):
        return formats.MATLAB
    if not sample.head.startswith(hdf5.MAGIC) or hdf5.is_whole_model(sample.file):
        return None
    if not hdf5.is_weights(sample.file):
        return formats.OTHER_HDF5
    return part_of_folder(sample) or formats.filled(formats.WEIGHTS, sample.name)


def folder_of(sample: Sample) -> str | None:
    """The description of a folder that a library reads as a whole."""
    return part_of_folder(sample) if sample.file.name == "config.json" else None


def part_of_folder(sample: Sample) -> str | None:
    """A file of such a folder, by what lies beside it."""
    for others, sentence in formats.FOLDERS:
        if all((sample.file.parent / other).is_file() for other in ("config.json", *others)):
            return formats.filled(sentence, sample.name)
    return None


def document(sample: Sample) -> str | None:
    """JSON and texts that describe a model of something else."""
    text = sample.text or ""
    if sample.suffix == ".json":
        if '"modelTopology"' in text or '"weightsManifest"' in text:
            layers = '"layers-model"' in text or '"model_config"' in text
            said = formats.TFJS_LAYERS if layers else formats.TFJS_GRAPH
            return formats.filled(said, sample.name)
        return None
    if sample.suffix in (".yaml", ".yml") and re.search("^class_name: ", text, re.MULTILINE):
        return formats.filled(formats.YAML, sample.name)
    return formats.OPENVINO if "<net name=" in text[:400] else None


def pickle(sample: Sample) -> str | None:
    """A pickle, by its first bytes or by its name."""
    head = sample.head
    binary = re.match(rb"\x80[\x02-\x05]", head) and b"." in sample.tail[-1:]
    old = sample.text is not None and formats.OLD_PICKLE.match(sample.text)
    if not (binary or old or sample.suffix in (".pkl", ".pickle", ".joblib", ".dill")):
        return None
    if formats.OLD_TORCH in head[:64]:
        return formats.pytorch(sample.name, head)
    return formats.filled(formats.PICKLE, sample.name)


def graph(sample: Sample) -> str | None:
    """A graph alone, whose name may say that it is a SavedModel."""
    if sample.suffix != ".pb":
        return None
    if sample.file.name == "saved_model.pb":
        try:
            lone = saved_model.is_frozen(saved_model.message(sample.file.read_bytes()))
        except (ValueError, IndexError):
            return None
        if not lone:
            return None
    return f"is {saved_model.FROZEN}."


def by_name(sample: Sample) -> str | None:
    """By the ending of the name."""
    said = formats.SUFFIXES.get(sample.suffix)
    return formats.filled(said, sample.name) if said else None


LOOKS: tuple[Callable[[Sample], str | None], ...] = (
    *STAND_INS,
    nothing,
    other_text,
    by_magic,
    folder_of,
    checkpoint,
    zipped,
    document,
    weights,
    pickle,
    onnx,
    graph,
    by_name,
)
"""What a file may be, the surest first."""
