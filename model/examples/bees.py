"""From labels to boxes on a picture, in one command: a detector, trained and asked.

    python model/examples/bees.py --out build/bees

What people would have labelled is drawn: scanned digits on slips of paper, whose boxes lie in an
augmented manifest, as SageMaker Ground Truth writes it (`ground_truth.py`). A fifth of its lines is
kept for validation, as the author of the bees did it by hand. The job is `plumbline train`'s; the
best three boxes that are surer than 0.2 are then drawn on pictures that nobody has seen. A few
minutes on two cores.
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Sequence
from pathlib import Path

import ground_truth
from augmented_manifest import load
from plumbline.machine.program_name import VERSION
from scenes import scenes
from shell import plumbline, sheet

LABELLED, NEW, ANSWERS = "labelled", "new", "answers"
"""Folders: the job's data, what is asked afterwards, and the answers."""

SHOWN = 6
"""How many pictures are asked."""

SETTINGS = {
    "size": 160,
    "optimizer": "adam",
    "batch_size": 16,
    "learning_rate": 0.003,
    "learning_rate_schedule": "cosine",
    "augmentation_type": "none",
}
"""Hyperparameters of the job."""


def write_data(out: Path, count: int) -> None:
    """The labelled pictures, split by a fifth of them, and new ones without labels."""
    for name in (LABELLED, NEW, ANSWERS):
        shutil.rmtree(out / name, ignore_errors=True)
    everything = ground_truth.write_scenes(scenes(count, held_out=False), out / LABELLED)
    ground_truth.main(["split", str(everything), "--out", str(out)])
    everything.unlink()
    for side in ("train", "validation"):
        folder, manifest = out / LABELLED / side, out / f"{side}.manifest"
        folder.mkdir()
        for photo in load(manifest).photos:
            (out / LABELLED / photo.source).rename(folder / photo.source)
        manifest.rename(folder / manifest.name)
    (out / NEW).mkdir()
    for number, scene in enumerate(scenes(SHOWN, held_out=True)):
        scene.picture.save(out / NEW / f"{number}.jpg", quality=95)


def main(arguments: Sequence[str] | None = None) -> None:
    """Draw, train, ask, and show."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--version", action="version", version=VERSION)
    parser.add_argument("--out", type=Path, default=Path("build/bees"), help="where to write")
    parser.add_argument("--scenes", type=int, default=1600, help="how many pictures are labelled")
    parser.add_argument("--epochs", type=int, default=12, help="how often to see each of them")
    chosen = parser.parse_args(arguments)
    out: Path = chosen.out
    out.mkdir(parents=True, exist_ok=True)
    write_data(out, chosen.scenes)
    model, settings = out / "model.tar.gz", {**SETTINGS, "epochs": chosen.epochs}
    given = [word for pair in settings.items() for word in ("--set", "{}={}".format(*pair))]
    plumbline("train", out / LABELLED, *given, "--report", out / "report", "--out", model)
    wanted = ("--pictures", "--score-threshold", "0.2", "--max-detections", "3")
    plumbline("transform", out / NEW, "--model", model, "--out", out / ANSWERS, *wanted)
    sheet(sorted((out / ANSWERS / "pictures").iterdir()), out / "drawn.png")


if __name__ == "__main__":
    main()
