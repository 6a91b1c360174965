"""The augmented manifest of SageMaker Ground Truth: JSON lines, a labelled photo each."""

from __future__ import annotations

import json
import reprlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

SOURCE = "source-ref"

METADATA = "-metadata"
"""What follows a job's name where its particulars stand."""

SIZE = ("width", "height")

LEAST: Mapping[str, float] = {"class_id": 0, "left": -1e9, "top": -1e9, "width": 0, "height": 0}
"""What is told of a box, and the smallest number that it can be."""

TYPE = "groundtruth/object-detection"

EXAMPLE = (
    '{"source-ref": "s3://bucket/1.jpg", "bees": {"image_size": [{"width": 640, "height": 480, '
    '"depth": 3}], "annotations": [{"class_id": 0, "left": 5, "top": 8, "width": 30, "height": '
    '20}]}, "bees-metadata": {"type": "groundtruth/object-detection", "class-map": {"0": "bee"}}}'
)


class ManifestError(Exception):
    """A manifest, or some of its lines, can't be used."""


class Annotation(NamedTuple):
    """A box in pixels, and what it shows."""

    class_id: int
    left: float
    top: float
    width: float
    height: float


@dataclass(frozen=True)
class Photo:
    """A labelled photo: where it lies, its (width, height), its boxes, the names of the classes.

    `line` is what stands in the manifest.
    """

    source: str
    size: tuple[int, int]
    annotations: tuple[Annotation, ...]
    class_map: Mapping[int, str]
    line: str


class Manifest(NamedTuple):
    """What a manifest holds; `damaged` says by the line's number, from 1, what is wrong there."""

    photos: tuple[Photo, ...]
    damaged: Mapping[int, str]


def read(text: str, job: str | None = None) -> Manifest:
    """The photos of a manifest that the labelling job `job` labelled, by default the only one.

    Raises `ManifestError` if that is none, or one of several.
    """
    documents, damaged = {}, {}
    for number, line in enumerate(text.split("\n"), 1):
        try:
            if line.strip():
                documents[number] = line.strip(), parse(line)
        except ManifestError as exc:
            damaged[number] = str(exc)
    job = find_job([document for _, document in documents.values()], job)
    photos = []
    for number, (line, document) in documents.items():
        try:
            photos.append(read_photo(document, job, line))
        except ManifestError as exc:
            damaged[number] = str(exc)
    return Manifest(tuple(photos), dict(sorted(damaged.items())))


def load(file: Path, job: str | None = None) -> Manifest:
    """The manifest in a file. Raises `ManifestError`."""
    try:
        return read(file.read_text("utf-8-sig"), job)
    except (OSError, UnicodeDecodeError) as exc:
        raise ManifestError(f"{file} can't be read: {exc}.") from exc
    except ManifestError as exc:
        raise ManifestError(f"{file}: {exc}") from exc


def parse(line: str) -> dict[str, Any]:
    """The object in a line. Raises `ManifestError`."""
    try:
        document = json.loads(line)
    except (ValueError, RecursionError) as exc:
        raise ManifestError(f"it is not JSON: {exc}") from exc
    if not isinstance(document, dict):
        raise ManifestError("it is not a JSON object")
    return document


def find_job(documents: Sequence[Mapping[str, Any]], job: str | None) -> str:
    """The name of the labelling job: under it stand the boxes. Raises `ManifestError`."""
    found = Counter(
        key
        for document in documents
        for key, value in document.items()
        if isinstance(value, dict) and "annotations" in value
    )
    wanted = found if job is None else {job} & found.keys()
    if len(wanted) == 1:
        return next(iter(wanted))
    if not found:
        raise ManifestError(f"no line has boxes. A line looks like this: {EXAMPLE}")
    names = ", ".join(f"{name!r} on {count} lines" for name, count in sorted(found.items()))
    said = "which of its jobs is meant?" if job is None else f"no job {job!r} has boxes."
    raise ManifestError(f"{said} There are {names}; name one with --job.")


def read_photo(document: Mapping[str, Any], job: str, line: str) -> Photo:
    """What a line says. Raises `ManifestError`."""
    source, labels = document.get(SOURCE), document.get(job)
    if not isinstance(source, str) or not source:
        raise ManifestError(f"{SOURCE!r} names no photo: {reprlib.repr(source)}")
    metadata = document.get(f"{job}{METADATA}", {})
    if not isinstance(metadata, dict):
        raise ManifestError(f"{job + METADATA!r} is no object: {reprlib.repr(metadata)}")
    if not isinstance(labels, dict):
        why = metadata.get("failure-reason", "nobody labelled the photo")
        raise ManifestError(f"there are no labels of {job!r}: {why}")
    return Photo(
        source=source,
        size=read_size(labels.get("image_size")),
        annotations=read_annotations(labels.get("annotations")),
        class_map=read_class_map(metadata.get("class-map", {})),
        line=line,
    )


def read_size(sizes: Any) -> tuple[int, int]:
    """The (width, height) of a photo. Raises `ManifestError`."""
    size = sizes[0] if isinstance(sizes, list) and sizes else None
    if not isinstance(size, dict) or not all(is_number(size.get(key), 1) for key in SIZE):
        raise ManifestError(f"'image_size' has no width and height: {reprlib.repr(sizes)}")
    return int(size["width"]), int(size["height"])


def read_annotations(annotations: Any) -> tuple[Annotation, ...]:
    """The boxes, none if nothing is on the photo. Raises `ManifestError`."""
    if not isinstance(annotations, list):
        raise ManifestError(f"'annotations' is no list: {reprlib.repr(annotations)}")
    for number, each in enumerate(annotations, 1):
        if not isinstance(each, dict) or not all(
            is_number(each.get(key), least) for key, least in LEAST.items()
        ):
            raise ManifestError(f"annotation {number} is no box of a class: {reprlib.repr(each)}")
    return tuple(
        Annotation(int(each["class_id"]), *(each[side] for side in Annotation._fields[1:]))
        for each in annotations
    )


def is_number(value: Any, least: float) -> bool:
    """Whether it is a number from `least` to a thousand million, which no photo reaches."""
    return type(value) in (int, float) and least <= value <= 1e9


def read_class_map(class_map: Any) -> dict[int, str]:
    """The names of the classes. Raises `ManifestError`."""
    try:
        return {int(class_id): str(name) for class_id, name in class_map.items()}
    except (AttributeError, ValueError) as exc:
        raise ManifestError(
            f"'class-map' does not name classes by number: {reprlib.repr(class_map)}"
        ) from exc


def manifest_line(
    source: str,
    size: tuple[int, int],
    annotations: Iterable[Annotation],
    class_names: Sequence[str],
    job: str,
) -> str:
    """A line as Ground Truth writes it, for a photo of this (width, height)."""
    boxes = [annotation._asdict() for annotation in annotations]
    width, height = size
    document = {
        SOURCE: source,
        job: {
            "image_size": [{"width": width, "height": height, "depth": 3}],
            "annotations": boxes,
        },
        f"{job}{METADATA}": {
            "objects": [{"confidence": 1} for _ in boxes],
            "class-map": {str(number): name for number, name in enumerate(class_names)},
            "type": TYPE,
            "human-annotated": "no",
            "creation-date": datetime.now(UTC).isoformat(timespec="microseconds"),
            "job-name": f"labeling-job/{job}",
        },
    }
    return json.dumps(document, ensure_ascii=False)


def save(lines: Iterable[str], file: Path) -> Path:
    """Write the lines into the file, and return it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(f"{line}\n" for line in lines), "utf-8")
    return file
