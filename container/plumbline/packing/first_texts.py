"""The texts of a first plumbline.toml and notebook.py, from what a model says of itself."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent, indent

from plumbline.archive.discovery import ModelFile
from plumbline.signature import TensorSpec
from plumbline.spec.toml_writer import toml_value

MODES = {"rgb": "RGB", "gray": "L", "rgba": "RGBA"}
"""Pillow's names of colours."""

LAID = {
    "channels_last": "",
    "channels_first": "pixels = pixels.transpose(2, 0, 1)",
    "no_channels": "pixels = pixels[:, :, 0]",
    "flat": "pixels = pixels.reshape(-1)",
}
"""What brings `[height, width, channels]` into the layout of the model's input."""


@dataclass(frozen=True)
class Facts:
    """What is known of a model: `size` is (height, width), None where pictures keep theirs."""

    model: ModelFile
    reader: str
    signature: str
    input: TensorSpec
    outputs: tuple[tuple[int | None, ...], ...]
    """The shapes of the outputs, without the batch axis."""
    size: tuple[int, int] | None
    is_any_size: bool
    """Whether the model would take other sizes, too."""
    color: str
    layout: str
    takes_pixels: bool
    """Whether it takes 0 to 255, and brings that to its own range itself."""
    task: str
    labels: str | None
    """A file here with as many labels as there are classes."""
    pictures: Path | None
    """A folder of pictures here, or beside the model."""


def in_words(facts: Facts) -> str:
    """What the model takes and gives."""
    size = f"{facts.size[0]}×{facts.size[1]}" if facts.size else "any size"
    given = " and ".join(shape_in_words(each) for each in facts.outputs)
    return f"pictures of {size}, {facts.color}, in; {given} out, as {facts.task}"


def shape_in_words(shape: tuple[int | None, ...]) -> str:
    """Such as `10 numbers`, or `[56, 56, 3]`."""
    if len(shape) == 1 and shape[0]:
        return f"{shape[0]} numbers"
    return f"[{', '.join('?' if axis is None else str(axis) for axis in shape)}]"


def declaration(facts: Facts) -> str:
    """The text of plumbline.toml."""
    top = [(f"task = {toml_value(facts.task)}", "what the model's outputs mean")]
    if facts.task == "classification":
        classes = facts.outputs[0][-1] if facts.outputs[0] else None
        said = f"one label a line, {classes or 'as many as classes'}, in training's order"
        known = f"labels = {toml_value(facts.labels or 'labels.txt')}"
        top.append((known if facts.labels else f"# {known}", said))
    if facts.size is None:
        size = ("keep_size = true", "the model resizes pictures itself")
    else:
        whose = "what training used; the model takes any" if facts.is_any_size else "the model's"
        size = (f"size = {toml_value(facts.size)}", f"height, width: {whose}")
    normalize = toml_value("none" if facts.takes_pixels else "unit")
    keys = [
        size,
        (f"color = {toml_value(facts.color)}", 'the order of the channels; "bgr" is another'),
        ('resize = "pillow-bilinear"', "the library and the filter that training used"),
        (
            f"normalize = {normalize}",
            '"none" is 0..255, "unit" 0..1, "tf" -1..1; others in docs/archive.md',
        ),
    ]
    signature = [(f"signature = {toml_value(facts.signature)}", "which of the model's")]
    chosen = ["", "[model]", *aligned(signature)] if facts.signature != "serving_default" else []
    lines = [
        "# How a picture becomes the model's input, and what its outputs mean.",
        "# `plumbline pack` holds this against predict() in notebook.py. If you don't know what",
        "# training did, `plumbline find-preprocess` finds it.",
        "",
        *aligned(top),
        *chosen,
        "",
        "[preprocess]",
        *aligned(keys),
    ]
    return "\n".join(lines) + "\n"


def aligned(rows: list[tuple[str, str]]) -> list[str]:
    """Lines of TOML with their comments in a column."""
    return [f"{line:<30} # {said}" for line, said in rows]


def notebook(facts: Facts) -> str:
    """The text of notebook.py."""
    head = dedent('''\
        """Your own prediction code, which `plumbline pack` holds the archive's answers against.

        As it was written it does what plumbline.toml declares. Put in what your notebook does.
        """

        ''')
    load, ask = by_tensorflow(facts) if facts.model.kind == "saved_model" else by_keras(facts)
    lines = [
        "picture = ImageOps.exif_transpose(Image.open(path))  # upright, as cameras note it",
        f'picture = picture.convert("{MODES[facts.color]}")',
    ]
    if facts.size:
        height, width = facts.size
        lines.append(f"picture = picture.resize(({width}, {height}), Image.Resampling.BILINEAR)")
    divided = "" if facts.takes_pixels else " / 255"
    lines.append(f"pixels = np.asarray(picture, np.{facts.input.dtype}){divided}")
    if facts.color == "gray":
        lines.append("pixels = pixels[:, :, np.newaxis]")
    lines += [*filter(None, [LAID[facts.layout]]), *ask]
    body = indent("\n".join(lines), "    ")
    said = '    """The model\'s outputs for the picture at `path`: numbers, as it gives them."""'
    return f"{head}{load}\n\n\ndef predict(path):\n{said}\n{body}\n"


def by_keras(facts: Facts) -> tuple[str, list[str]]:
    """What loads a Keras model, and asks it."""
    library = "tf_keras as keras" if facts.reader.startswith("tf_keras") else "keras"
    path = str(facts.model.path)
    if facts.model.weights:
        load = (
            f"model = keras.models.model_from_json(Path({path!r}).read_text())\n"
            f"model.load_weights({str(facts.model.weights)!r})"
        )
    else:
        load = f"model = keras.models.load_model({path!r}, compile=False)"
    above = "from pathlib import Path\n\n" if facts.model.weights else ""
    imports = f"{above}import {library}\nimport numpy as np\nfrom PIL import Image, ImageOps\n"
    ask = ["outputs = model.predict(pixels[np.newaxis], verbose=0)"]
    if len(facts.outputs) == 1:
        ask.append("return outputs[0]")
    else:
        ask += [
            "if isinstance(outputs, dict):",
            "    return {name: output[0] for name, output in outputs.items()}",
            "return [output[0] for output in outputs]",
        ]
    return f"{imports}\n{load}", ask


def by_tensorflow(facts: Facts) -> tuple[str, list[str]]:
    """What loads a SavedModel, and asks it."""
    load = dedent(f"""\
        import numpy as np
        import tensorflow as tf
        from PIL import Image, ImageOps

        model = tf.saved_model.load({str(facts.model.path)!r})
        serve = model.signatures[{facts.signature!r}]""")
    name = facts.input.name
    ask = [
        f"outputs = serve(**{{{name!r}: tf.constant(pixels[np.newaxis])}})",
        "return {name: output.numpy()[0] for name, output in outputs.items()}",
    ]
    return load, ask
