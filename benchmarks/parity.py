"""Write docs/parity.md: how far preprocessing is from the libraries it equals, and how fast.

Run `make parity`.
"""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

import libraries
from corpus import SIZES, photographs, pictures
from encoded import encode, jpegs, others, photograph, turned
from libraries import FITS, GRAYS, NORMALIZERS, RESIZERS
from pipelines import PIPELINES
from plumbline.pipeline.preprocess import preprocess
from plumbline.spec.model_spec import parse
from plumbline.vision import fit
from plumbline.vision.crops import NAMED, CentralCrop, ShorterSide
from plumbline.vision.images import COLORS, Limits, decode
from plumbline.vision.normalize import NORMALIZATIONS, rescaling
from plumbline.vision.resize import FILTERS, pillow_filters
from tally import Tally

HERE = Path(__file__).parent
PAGE = HERE.parent / "docs" / "parity.md"
EVERYTHING = Limits(formats=("JPEG", "PNG", "GIF", "BMP", "WEBP"))

Array = NDArray[Any]
Tallies = dict[str, Tally]


def filters() -> Tallies:
    """Every filter, over the whole corpus."""
    tallies = {name: Tally() for name in FILTERS}
    for source, target in SIZES:
        for _, pixels in pictures(source):
            for name, tally in tallies.items():
                tally.add(FILTERS[name](pixels, target), RESIZERS[name](pixels, target))
    return tallies


def decoded(data: bytes, color: str, decoder: str) -> Array:
    """The pixels as they lie in the file."""
    return decode(data, color=color, exif=False, limits=EVERYTHING, decoder=decoder)


def decoders() -> Tallies:
    """Every decoder and color, over all files that the library takes."""
    tallies: Tallies = {}
    channels = {"rgb": 3, "rgba": 4, "gray": 1}
    by_library = {"pillow": libraries.pillow_decode, "tensorflow": libraries.tensorflow_decode}
    for decoder, library in by_library.items():
        for kind, files in (("JPEG", jpegs()), ("PNG, BMP, GIF, WebP", others())):
            for color, count in channels.items():
                tally = tallies[f"`{decoder}`, `{color}`: {kind}"] = Tally()
                for name, data in files.items():
                    theirs = taken(library, data, count)
                    if theirs is not None and (decoder, name) != ("pillow", "png 16 bits"):
                        tally.add(decoded(data, color, decoder), theirs)
    return {name: tally for name, tally in tallies.items() if tally.values}


def taken(library: Callable[[bytes, int], Array], data: bytes, channels: int) -> Array | None:
    """The library's pixels; None where TensorFlow refuses the file."""
    import tensorflow as tf

    try:
        return library(data, channels)
    except tf.errors.InvalidArgumentError:
        return None


def grays() -> Tallies:
    """A quarter of all colours."""
    tallies = {name: Tally() for name in GRAYS}
    red, green = np.meshgrid(*[np.arange(256, dtype=np.uint8)] * 2)
    for blue in range(0, 256, 4):
        colours = np.dstack([red, green, np.full_like(red, blue)])
        for name, tally in tallies.items():
            tally.add(COLORS[name][1](colours), GRAYS[name](colours))
    return {f"`{name}`": tally for name, tally in tallies.items()}


def fits() -> Tallies:
    """Photographs into squares, landscapes and portraits."""
    every: dict[str, fit.Fit] = {
        **NAMED,
        "{shorter_side = 256}": ShorterSide(256),
        "{central_crop = 0.875}": CentralCrop(0.875),
    }
    tallies = {name: Tally() for name in FITS}
    for pixels in photographs().values():
        for size in ((224, 224), (97, 131), (180, 120)):
            for name, (filter_name, library) in FITS.items():
                ours, _ = fit.place(pixels, size, every[name], FILTERS[filter_name])
                tallies[name].add(ours, library(pixels, size))
    return {f"`{name}`": tally for name, tally in tallies.items()}


def normalizations() -> Tallies:
    """Every level in every channel."""
    levels = np.arange(256, dtype=np.uint8).repeat(3).reshape(16, 16, 3)
    tallies: Tallies = {}
    for name, library in NORMALIZERS.items():
        tallies.setdefault(f"`{name}`", Tally()).add(NORMALIZATIONS[name](levels), library(levels))
    for scale, offset in ((1 / 255, 0.0), (1 / 127.5, -1.0)):
        layer = np.asarray(libraries.rescaling_layer(scale, offset)(levels))
        name = f"`{{scale = {scale:.6g}…, mean = {0 - offset:g}}}`: Rescaling"
        tallies.setdefault(name, Tally()).add(rescaling(scale, offset)(levels), layer)
    return tallies


def whole_pipelines() -> Tallies:
    """From files to tensors, as plumbline.toml declares them."""
    landscape, portrait = photograph((427, 640)), photograph((320, 213))
    files = {
        "landscape.jpg": encode(landscape, "JPEG", quality=90),
        "turned.jpg": encode(landscape, "JPEG", exif=turned(6)),
        "portrait.png": encode(portrait, "PNG"),
    }
    tallies = {name: Tally() for name in PIPELINES}
    with tempfile.TemporaryDirectory() as folder:
        for file, data in files.items():
            path = Path(folder, file.partition(".")[0], file)
            path.parent.mkdir()
            path.write_bytes(data)
            for name, (toml, code) in PIPELINES.items():
                tallies[name].add(ours(data, toml), code(path).astype(np.float32))
    return tallies


def ours(data: bytes, toml: str) -> Array:
    """The tensor that a server makes of a file."""
    spec = parse(toml).preprocess
    assert spec.size is not None
    pixels = decode(data, color=spec.color, exif=spec.exif, limits=EVERYTHING, decoder=spec.decoder)
    return preprocess(pixels, spec, spec.size, "float32")


def versions_of_pillow() -> Iterator[str]:
    """How far Pillow 12 and 13 are apart on a photograph from a telephone held upright."""
    tall = np.asarray(photograph((1280, 720)))
    for name in sorted(pillow_filters(13).keys() - {"pillow-nearest"}):
        tally = Tally()
        tally.add(*(pillow_filters(major)[name](tall, (224, 224)) for major in (12, 13)))
        yield f"| `{name}` | {tally.largest:.0f} | {tally.share:.1%} |"


def decoders_apart() -> float:
    """How far TensorFlow's decoder is from Pillow's on photographs, in levels."""
    tally = Tally()
    for pixels in photographs().values():
        data = encode(Image.fromarray(pixels), "JPEG", quality=100)
        tally.add(decoded(data, "rgb", "tensorflow"), decoded(data, "rgb", "pillow"))
    return tally.largest


def cubic() -> str:
    """How many values of photographs OpenCV's cubic filter gives otherwise, in words."""
    name, tally = "opencv-cubic", Tally()
    for pixels in photographs().values():
        for size in ((224, 224), (299, 299), (128, 128), (97, 131)):
            tally.add(FILTERS[name](pixels, size), RESIZERS[name](pixels, size))
    assert tally.largest <= 1
    return f"{tally.differing} of {tally.values:,} values are"


def boxed_apart() -> float:
    """How far `load_img(keep_aspect_ratio=True)` is from `crop` on photographs, in levels."""
    import keras

    tally = Tally()
    with tempfile.TemporaryDirectory() as folder:
        for name, pixels in photographs().items():
            path = Path(folder, f"{name}.png")
            Image.fromarray(pixels).save(path)
            theirs = keras.utils.load_img(
                path, target_size=(224, 224), interpolation="bicubic", keep_aspect_ratio=True
            )
            ours, _ = fit.place(pixels, (224, 224), fit.FITS["crop"], FILTERS["pillow-bicubic"])
            tally.add(ours, np.asarray(theirs))
    return tally.largest


def machine() -> str:
    """What this runs on, no more precisely than makes a difference."""
    try:
        text = Path("/proc/cpuinfo").read_text("utf-8")
    except OSError:
        return f"{os.cpu_count()} cores ({platform.machine()})"
    found = re.search(r"^model name\s*: (\w+)\S* (\w+)", text, re.MULTILINE)
    name = " ".join(found.groups()) if found else platform.machine()
    vectors = " with AVX-512" if "avx512f" in text else ""
    return f"{os.cpu_count()} cores of an {name}{vectors}"


def rows(tallies: Mapping[str, Tally], *, quoted: bool = False) -> Iterator[str]:
    """The lines of a table."""
    for name, tally in tallies.items():
        largest = "**identical**" if tally.largest == 0 else f"{tally.largest:.2g}"
        share = "none" if tally.largest == 0 else f"{tally.share:.3%}"
        yield f"| {f'`{name}`' if quoted else name} | {largest} | {share} | {tally.values:,} |"


def table(what: str, tallies: Mapping[str, Tally], *, quoted: bool = False) -> list[str]:
    """A whole table."""
    head = f"| {what} | largest difference | values that differ | values compared |"
    return [head, "|---|---|---|---|", *rows(tallies, quoted=quoted)]


def speed() -> list[str]:
    """What `preprocess.py` prints, in a process of its own that is held to one core."""
    done = subprocess.run(
        [sys.executable, HERE / "preprocess.py"], check=True, stdout=subprocess.PIPE, text=True
    )
    return done.stdout.splitlines()


def page() -> str:
    """The page: `parity.in.md` with its blanks filled in."""
    blanks: dict[str, Iterable[str]] = {
        "versions": [libraries.versions()],
        "machine": [machine()],
        "jpeg": [f"{decoders_apart():.0f}"],
        "cubic": [cubic()],
        "boxed": [f"{boxed_apart():.0f}"],
        "filters": table("filter", filters(), quoted=True),
        "decoders": table("decoder, color: files", decoders()),
        "grays": table("color", grays()),
        "fits": table("fit", fits()),
        "normalizations": table("normalize", normalizations()),
        "pipelines": table("pipeline", whole_pipelines()),
        "pillow": versions_of_pillow(),
        "speed": speed(),
    }
    text = (HERE / "parity.in.md").read_text("utf-8")
    for name, lines in blanks.items():
        text = text.replace(f"<{name}>", "\n".join(lines))
    return text


if __name__ == "__main__":
    warnings.filterwarnings("ignore", "Palette images")  # Pillow's own, of two of the files
    PAGE.write_text(page(), "utf-8")
    print(f"{PAGE} is written.")
