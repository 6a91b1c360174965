"""`plumbline init`: the first plumbline.toml and notebook.py for a model, and what comes next."""

from __future__ import annotations

import json
import math
import os
import shlex
import tempfile
from pathlib import Path

import click
from rich.console import Console

from plumbline.archive import keras_files
from plumbline.archive.discovery import ModelFile
from plumbline.archive.saved_model import read_signatures
from plumbline.errors import PackingError, SpecError
from plumbline.packing import first_texts as texts
from plumbline.packing import model_sources
from plumbline.packing.convert import Wanted, convert
from plumbline.packing.progress_bar import Reporter
from plumbline.pipeline.model_inputs import decodes_itself, fit_pictures, image_size
from plumbline.pipeline.picture_view import seen, view_of
from plumbline.settings import environment
from plumbline.signature import DEFAULT, Signature
from plumbline.spec import model_spec as specs
from plumbline.spec.checks import FILE
from plumbline.spec.model_spec import ModelSpec
from plumbline.tasks.task_table import suited
from plumbline.vision.images import CHANNELS, describe

NOTEBOOK = "notebook.py"

LABELS = "labels.txt"

PATH = click.Path(path_type=Path)

COLORS = ("rgb", "gray", "rgba")
"""What a model's channels may be, the likeliest first."""

FRACTIONS = ("float32", "float16", "float64", "bfloat16")
"""The dtypes of inputs that may be of another range than pixels."""

SIZE = (224, 224)
"""For a model that takes pictures of any size."""


@click.command()
@click.argument("model", type=PATH, required=False)
@click.argument("weights", type=PATH, required=False)
def init(model: Path | None, weights: Path | None) -> None:
    """Write a first plumbline.toml and notebook.py for MODEL, to be made your own.

    MODEL is what `plumbline pack` takes; without it, the only one in this folder. Its size,
    channels and outputs are read from it. `predict` in notebook.py answers as plumbline.toml
    declares, so that packing succeeds at once; put your own prediction code in its place, and
    packing tells where the two differ.

    \b
    plumbline init model.keras
    """  # noqa: D301 - \b keeps click from rewrapping
    environment.quiet_frameworks()
    declaration = Path(FILE)
    if declaration.exists():
        raise PackingError(
            f"There is a {FILE} here already, which is not written over. Go on with it "
            f"(plumbline pack {model or 'MODEL'} --spec plumbline.toml), or move it away first."
        )
    reporter = Reporter(Console())
    chosen = model_sources.find(model or only_model(Path()), weights)
    facts = read(chosen, reporter)
    declaration.write_text(texts.declaration(facts), "utf-8")
    reporter.say(f"{FILE} is written: {texts.in_words(facts)}.")
    notebook = Path(NOTEBOOK)
    if notebook.exists():
        reporter.say(f"{NOTEBOOK} was there already, and is as it was; it needs a predict(path).")
    else:
        notebook.write_text(texts.notebook(facts), "utf-8")
        reporter.say(f"{NOTEBOOK} is written, with a predict(path) that answers the same.")
    reporter.say("Make both your own, and pack the model with some pictures:\n")
    reporter.say(f"    {next_of(facts)}\n")


def only_model(folder: Path) -> Path:
    """The model that lies in the folder. Raises `PackingError` if it is not one."""
    found = [
        path
        for path in sorted(folder.iterdir())
        if path.suffix in (".keras", ".h5", ".hdf5") or (path / "saved_model.pb").is_file()
    ]
    if len(found) == 1:
        return found[0]
    there = f"there are {', '.join(map(str, found))}" if found else "there is none in this folder"
    raise PackingError(f"Which model is meant? Name it, for {there}: plumbline init model.keras")


def read(model: ModelFile, reporter: Reporter) -> texts.Facts:
    """What the model itself says. Raises a `ModelError`."""
    with tempfile.TemporaryDirectory(prefix="plumbline-init-") as folder:
        reporter.say(f"Reading {model.path.name} …")
        converted = convert(model, Path(folder, "model"), None, Wanted("", ()), lambda _: None)
        signatures = read_signatures(converted.folder)
    if not signatures:
        raise PackingError(f"{model.path.name} has no signature, so its inputs are not known.")
    name = DEFAULT if DEFAULT in signatures else next(iter(signatures))
    signature = signatures[name]
    if decodes_itself(signature.input()):
        raise PackingError(
            f"{model.path.name} decodes pictures itself, so that there is nothing to declare: "
            f"plumbline pack {shlex.quote(str(model.path))}"
        )
    spec, is_any_size = first_fit(signature)
    view, picture = view_of(spec, signature), seen(spec, signature).input()
    outputs = tuple(each.shape[1:] for each in signature.outputs)
    return texts.Facts(
        model=model,
        reader=converted.reader,
        signature=name,
        input=signature.input(),
        outputs=outputs,
        size=image_size(spec, picture),
        is_any_size=is_any_size,
        color=spec.preprocess.color,
        layout=view.layout if view else "channels_last",
        takes_pixels=rescales(model) or picture.dtype not in FRACTIONS,
        task=suited(spec, seen(spec, signature)).task,
        labels=LABELS if has_labels(outputs) else None,
        pictures=pictures_near(model.path),
    )


def first_fit(signature: Signature) -> tuple[ModelSpec, bool]:
    """What declares the model's size and channels, and whether it leaves the size open.

    Raises `SpecError` for a model that takes no pictures.
    """
    axes = signature.input().shape[1:]
    for color in COLORS:
        side = math.isqrt((axes[0] or 0) // CHANNELS[color]) if len(axes) == 1 else 0
        for size in (None, SIZE, (side, side)):
            declared = {"color": color, **({"size": list(size)} if size and all(size) else {})}
            spec = specs.read_document({"preprocess": declared})
            try:
                fit_pictures(spec, signature)
            except SpecError:
                continue
            return spec, size == SIZE
    fit_pictures(ModelSpec(), signature)
    raise AssertionError


def rescales(model: ModelFile) -> bool:
    """Whether a Keras model brings pixels of 0 to 255 to its own range itself."""
    if model.kind == "saved_model":
        return False
    config = json.dumps(keras_files.read(model, ()).config)
    return '"class_name": "Rescaling"' in config or '"class_name": "Normalization"' in config


def has_labels(outputs: tuple[tuple[int | None, ...], ...]) -> bool:
    """Whether there is a file of labels here, as many as there are classes."""
    file = Path(LABELS)
    count = len(file.read_text("utf-8").splitlines()) if file.is_file() else 0
    return bool(count) and outputs[0][-1:] == (count,)


def pictures_near(model: Path) -> Path | None:
    """A folder of pictures here, or beside the model."""
    places = sorted({Path(), model.parent})
    folders = (each for place in places for each in sorted(place.iterdir()) if each.is_dir())
    return next((folder for folder in folders if holds_pictures(folder)), None)


def holds_pictures(folder: Path) -> bool:
    """Whether the folder's first files are pictures."""
    with os.scandir(folder) as entries:
        files = sorted(entry.path for entry in entries if entry.is_file())[:3]
    return bool(files) and all(map(is_picture, files))


def is_picture(file: str) -> bool:
    """Whether a file begins as pictures do."""
    with Path(file).open("rb") as opened:
        return describe(opened.read(16)).endswith("picture")


def next_of(facts: texts.Facts) -> str:
    """The command that packs."""
    model = [str(facts.model.path), *([str(facts.model.weights)] if facts.model.weights else [])]
    pictures = str(facts.pictures or "photos")
    parts = ["pack", *model, "--spec", FILE, "--golden", pictures]
    parts += ["--reference", f"{NOTEBOOK}:predict", "--out", "model.tar.gz"]
    return f"{environment.program()} {shlex.join(parts)}"
