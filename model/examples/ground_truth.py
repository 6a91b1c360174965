"""Photos that people labelled, in the augmented manifest of SageMaker Ground Truth.

    python model/examples/ground_truth.py split output.manifest --out bees
    python model/examples/ground_truth.py write --count 500 --out build/scenes

`split` shuffles a manifest's lines, always in the same way, and writes four fifths of them to
`train.manifest` and the rest to `validation.manifest`. `write` makes a manifest of its own, with
the pictures of `scenes.py`.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Iterable, Sequence
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from augmented_manifest import Annotation, ManifestError, Photo, load, manifest_line, save
from plumbline.machine.program_name import VERSION
from scenes import DIGITS, Scene, scenes

JOB = "digits"
"""The job whose labels `write` writes."""


class Split(NamedTuple):
    """Photos to learn from, and photos to check what was learnt."""

    train: list[Photo]
    validation: list[Photo]


def split(photos: Iterable[Photo], share: float = 0.8, seed: int = 0) -> Split:
    """Shuffle, and cut where `share` of the photos is reached; the same split for the same seed.

    A photo that is named several times counts once, and its lines stay together: none is checked
    with what was learnt from. Raises `ManifestError` if a part would be empty.
    """
    if not 0 < share < 1:
        raise ManifestError(f"The share to learn from is {share}; it must lie between 0 and 1.")
    lines: dict[str, list[Photo]] = {}
    for photo in photos:
        lines.setdefault(photo.source, []).append(photo)
    groups = list(lines.values())
    random.Random(seed).shuffle(groups)
    count = round(share * len(groups))
    if not 0 < count < len(groups):
        raise ManifestError(f"{len(groups)} photos are too few to learn from {share:.0%} of them.")
    return Split(list(chain(*groups[:count])), list(chain(*groups[count:])))


def write_scenes(found: Iterable[Scene], folder: Path, prefix: str = "") -> Path:
    """The scenes' pictures as JPEG files, and beside them `output.manifest`, which is returned.

    `prefix` is where the pictures are going to lie, such as s3://bucket/scenes/.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lines = []
    for number, scene in enumerate(found):
        name = f"{number:04}.jpg"
        scene.picture.save(folder / name, quality=95)
        boxes = (
            Annotation(int(digit), *map(int, (left, top, right - left, bottom - top)))
            for digit, (left, top, right, bottom) in zip(scene.digits, scene.boxes, strict=True)
        )
        lines.append(manifest_line(prefix + name, scene.picture.size, boxes, DIGITS, JOB))
    return save(lines, folder / "output.manifest")


def split_command(chosen: argparse.Namespace) -> None:
    """`ground_truth.py split`."""
    manifest = load(chosen.manifest, chosen.job)
    if manifest.damaged:
        listed = "\n".join(f"  line {number}: {why}" for number, why in manifest.damaged.items())
        said = f"{len(manifest.damaged)} lines of {chosen.manifest} can't be used:\n{listed}"
        if not chosen.skip_damaged:
            raise ManifestError(f"{said}\nMend them, or leave them out: --skip-damaged.")
        print(f"{said}\nThey are left out.")
    parts = split(manifest.photos, chosen.share, chosen.seed)._asdict()
    files = {name: chosen.out / f"{name}.manifest" for name in parts}
    if chosen.manifest.resolve() in [file.resolve() for file in files.values()]:
        raise ManifestError(f"{chosen.manifest} would be overwritten; choose another --out.")
    for name, photos in parts.items():
        save((photo.line for photo in photos), files[name])
        boxes = sum(len(photo.annotations) for photo in photos)
        print(f"{files[name]}: {len(photos):,} lines with {boxes:,} boxes.")
    again = len(manifest.photos) - len({photo.source for photo in manifest.photos})
    if again:
        print(f"{again} lines name a photo once more; each stays with the first of its photo.")


def write_command(chosen: argparse.Namespace) -> None:
    """`ground_truth.py write`."""
    found = scenes(chosen.count, held_out=chosen.held_out, seed=chosen.seed)
    print(f"{write_scenes(found, chosen.out, chosen.prefix)} names {chosen.count:,} pictures.")


def main(arguments: Sequence[str] | None = None) -> None:
    """Split a manifest, or write one."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--version", action="version", version=VERSION)
    commands = parser.add_subparsers(required=True)
    splitting = commands.add_parser("split", help="a manifest, to learn from and to check with")
    splitting.add_argument("manifest", type=Path, help="what the labelling job wrote")
    splitting.add_argument("--out", type=Path, default=Path(), help="a folder")
    splitting.add_argument("--share", type=float, default=0.8, help="what is learnt from (0.8)")
    splitting.add_argument("--job", help="whose labels, if there are several")
    splitting.add_argument("--skip-damaged", action="store_true", help="leave such lines out")
    splitting.set_defaults(run=split_command)
    writing = commands.add_parser("write", help="scenes of scanned digits, and their manifest")
    writing.add_argument("--out", type=Path, default=Path("build/scenes"), help="a folder")
    writing.add_argument("--count", type=int, default=500, help="how many pictures (500)")
    writing.add_argument("--prefix", default="", help="s3://bucket/folder/, before the names")
    writing.add_argument("--held-out", action="store_true", help="of digits not learnt from")
    writing.set_defaults(run=write_command)
    for command in (splitting, writing):
        command.add_argument("--version", action="version", version=VERSION)
        command.add_argument("--seed", type=int, default=0, help="another shuffle (0)")
    chosen = parser.parse_args(arguments)
    try:
        chosen.run(chosen)
    except ManifestError as exc:
        sys.exit(str(exc))


if __name__ == "__main__":
    main()
