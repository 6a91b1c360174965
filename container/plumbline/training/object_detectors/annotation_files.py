"""Files of annotations beside the pictures: a JSON file a picture, or one for all of them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from plumbline.training.boxed_channels import ANNOTATIONS
from plumbline.training.errors import DataError
from plumbline.training.object_detectors.annotations import (
    Boxes,
    class_of,
    kind,
    of_label,
    value_of,
)
from plumbline.training.readers import class_folders
from plumbline.training.readers.entries import Entry

Names = dict[int, str]
"""What classes are called, by their numbers."""

Found = tuple[list[Entry[Boxes]], Names]

IMAGES = "images"
"""Where the TensorFlow algorithm's pictures lie."""

UNANNOTATED = "there is no annotation of it"


def read_folder(annotations: Path, pictures: Path) -> Found:
    """A JSON file a picture, as the MXNet algorithm has them. Raises `DataError`.

    Pictures without an annotation and annotations without a picture are entries with a fault.
    """
    entries, names, seen = list[Entry[Boxes]](), Names(), set[Path]()
    for file in sorted(annotations.rglob("*.json")):
        document = document_of(file)
        if not isinstance(document.get("file"), str):
            raise DataError(f'{file.name} has no "file", the path of its picture.')
        picture = below(pictures, document["file"])
        seen.add(picture)
        fault = "" if picture.is_file() else missing(pictures, file.name)
        label = of_label(document, file.name)
        entries.append(Entry(document["file"], picture, label, fault=fault))
        names.update(names_of(document.get("categories"), "class_id"))
    if not entries:
        raise DataError(f"The channel {annotations.name} holds no .json files.")
    return [*entries, *unannotated(pictures, seen)], names


def read_document(folder: Path) -> Found:
    """annotations.json and images/, as the TensorFlow algorithm has them. Raises `DataError`.

    Its boxes are xmin, ymin, xmax and ymax in pixels: not COCO's, which have a width and a height.
    """
    file = folder / ANNOTATIONS
    document = document_of(file)
    pictures = folder / IMAGES if (folder / IMAGES).is_dir() else folder
    images, listed = (document.get(key) for key in ("images", "annotations"))
    if not isinstance(images, list) or not isinstance(listed, list):
        raise DataError(f'{file.name} has to have the lists "images" and "annotations".')
    boxes: dict[Any, list[tuple[int, Any]]] = {}
    for number, given in enumerate(listed, 1):
        each = given if isinstance(given, dict) else {}
        boxes.setdefault(each.get("image_id"), []).append(
            box_of(each, f"{file.name}, annotation {number}")
        )
    entries = [entry_of(each, boxes, pictures, file.name) for each in images]
    if unknown := boxes.keys() - {each.get("id") for each in images}:
        raise DataError(
            f"{file.name} has annotations of the image_id {min(map(str, unknown))}, which is "
            'not among its "images".'
        )
    names = names_of(document.get("categories"), "id")
    return [*entries, *unannotated(pictures, {entry.file for entry in entries})], names


def box_of(found: Mapping[str, Any], name: str) -> tuple[int, Any]:
    """The class and the corners of an annotation. Raises `DataError`."""
    box = found.get("bbox")
    if not isinstance(box, list) or len(box) != 4:
        raise DataError(
            f"{name}: its bbox is {kind(box)} ({str(box)[:40]!r}); it has to be a list of xmin, "
            "ymin, xmax and ymax."
        )
    class_id = class_of(found.get("category_id"), name)
    return class_id, tuple(value_of(value, "bbox", name) for value in box)


def entry_of(
    image: Any, boxes: Mapping[Any, list[tuple[int, Any]]], pictures: Path, name: str
) -> Entry[Boxes]:
    """A picture of annotations.json."""
    if not isinstance(image, dict) or not isinstance(image.get("file_name"), str):
        raise DataError(f'{name}: one of its "images" has no "file_name".')
    own = boxes.get(image.get("id"), [])
    sides = (image.get("width"), image.get("height"))
    size = sides if all(isinstance(side, int) for side in sides) else None
    label = Boxes(
        tuple(class_id for class_id, _ in own),
        tuple(corners for _, corners in own),
        size,  # type: ignore[arg-type]
    )
    file = below(pictures, image["file_name"])
    fault = "" if file.is_file() else missing(pictures, name)
    return Entry(image["file_name"], file, label, fault=fault)


def missing(pictures: Path, where: str) -> str:
    """Why an annotation without its picture can't be used."""
    return f"is not in {pictures.name}, as {where} has it."


def document_of(file: Path) -> dict[str, Any]:
    """A file with a JSON object. Raises `DataError`."""
    try:
        found = json.loads(file.read_text("utf-8-sig"))
    except ValueError as exc:
        raise DataError(f"{file.name} is not JSON: {exc}.") from exc
    if not isinstance(found, dict):
        raise DataError(f"{file.name} has to be a JSON object, and is {kind(found)}.")
    return found


def below(folder: Path, path: str) -> Path:
    """The file in the folder that a path ends with; where there is none, the whole path in it."""
    parts = [part for part in PurePosixPath(path).parts if part not in ("..", "/")]
    ends = (folder.joinpath(*parts[start:]) for start in range(len(parts)))
    return next((file for file in ends if file.is_file()), folder.joinpath(*parts))


def unannotated(pictures: Path, seen: set[Path]) -> Iterator[Entry[Boxes]]:
    """The pictures in a folder that nothing is said of."""
    for file in class_folders.files(pictures):
        if file not in seen:
            name = file.relative_to(pictures).as_posix()
            yield Entry(name, file, Boxes(), fault=UNANNOTATED)


def names_of(categories: Any, key: str) -> Names:
    """The names of classes in a list of objects."""
    listed = categories if isinstance(categories, list) else ()
    return {
        each[key]: str(each["name"])
        for each in listed
        if isinstance(each, dict) and isinstance(each.get(key), int) and "name" in each
    }
