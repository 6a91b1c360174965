"""`plumbline find-preprocess`: the model, the pictures and what is expected → a search."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image

from plumbline.archive.discovery import ModelFile
from plumbline.engines import tensorflow
from plumbline.engines.base import Engine
from plumbline.engines.selection import load_engine
from plumbline.machine import cgroups
from plumbline.machine.quiet import muted
from plumbline.packing import expected_outputs as expected
from plumbline.packing import picture_folder, preprocess_options
from plumbline.packing.convert import Wanted, convert
from plumbline.packing.preprocess_options import Options
from plumbline.packing.preprocess_search import Found, Search
from plumbline.packing.preprocess_trials import Inputs, Trials, asked_for, input_size, names
from plumbline.packing.progress_bar import Reporter
from plumbline.pipeline.picture_view import viewed
from plumbline.vision.images import DEEP, ORIENTATION, UPRIGHT, Limits


@dataclass(frozen=True)
class Question:
    """What is asked: `expected` is a file of arrays or FILE:FUNCTION, `size` (height, width)."""

    model: ModelFile
    images: Path
    expected: str
    size: tuple[int, int] | None = None
    custom_objects: Path | None = None
    signature: str = "serving_default"
    constants: Mapping[str, Any] = field(default_factory=dict)
    """Values of the inputs that pictures don't go to."""
    tolerance: float = 1e-5
    seconds: float = 30.0


@dataclass(frozen=True)
class Answer:
    """What was found, the space it was found in, and the pictures' size for the model."""

    found: Found
    space: Options
    size: tuple[int, int]
    constants: Mapping[str, Any] = field(default_factory=dict)


def find(question: Question, reporter: Reporter) -> Answer:
    """Search. Raises a `ModelError` where there is nothing to search with."""
    deep = picture_folder.are_deep(question.images)
    photos = picture_folder.find(question.images, Limits(), DEEP if deep else "rgb")
    with engine_of(question, reporter) as model:
        asked = asked_for(model.signature, question.size, question.constants)
        size = input_size(model, asked)
        wanted = names(expected.read(question.expected, photos, reporter), photos)
        engine = viewed(asked, model)
        channels, turned = engine.signature.input().shape[3], any(map(is_turned, photos))
        space = preprocess_options.options(channels, turned, size, deep=deep)
        trials = Trials(engine, Inputs(photos, size, engine.signature.input().dtype), wanted)
        search = Search(trials, space, question.tolerance, question.seconds, reporter)
        return Answer(search.run(), space, size, question.constants)


@contextmanager
def engine_of(question: Question, reporter: Reporter) -> Iterator[Engine]:
    """The model, loaded; TensorFlow is imported here while Keras converts elsewhere."""
    importing = threading.Thread(target=tensorflow.preload)
    importing.start()
    with tempfile.TemporaryDirectory(prefix="plumbline-find-") as name:
        model = question.model
        try:
            if model.kind != "saved_model":
                reporter.say(f"Converting {model.path.name} to a SavedModel …")
                nothing = Wanted("", ())
                folder = Path(name, "model")
                convert(model, folder, question.custom_objects, nothing, lambda _: None)
                model = ModelFile("saved_model", folder)
        finally:
            importing.join()
        with muted():
            engine = load_engine(model, question.signature, max(1, int(cgroups.machine().cores)))
        yield engine


def is_turned(picture: Path) -> bool:
    """Whether the picture's EXIF notes say that it lies on its side."""
    with Image.open(picture) as image:
        return bool(image.getexif().get(ORIENTATION, UPRIGHT) != UPRIGHT)
