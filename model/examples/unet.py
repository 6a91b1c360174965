"""A U-Net by one's own script, in one command: written as data, trained as a job, and asked.

    python model/examples/unet.py --out build/unet

The job runs this very file, by `plumbline train … --script unet.py` or on SageMaker. It finds
pictures and masks in `SM_CHANNEL_…`, trains the network of `segmenter.py` with Keras 2, and leaves
in `SM_MODEL_DIR` a SavedModel in a folder named by the time. Beside it lie `plumbline.toml`, and a
few pictures with what this script computed for them: the job packs the model where it stands, and
proves that a server's preprocessing is this script's own. A few minutes on two cores.
"""

from __future__ import annotations

import argparse
import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from plumbline.machine.program_name import VERSION
from scenes import Scene, scenes
from shell import plumbline, sheet

DATA, NEW, ANSWERS = "data", "new", "answers"
"""Folders: the job's channels, what is asked afterwards, and the answers."""

SHOWN = 6
"""How many pictures are asked."""

GOLDEN = 5
"""How many pictures the archive is proven with."""

VALIDATED = 0.2
"""So many pictures are validated on for each that is learnt from."""


# -- the job --------------------------------------------------------------------------------------


def train(arguments: Sequence[str] | None) -> None:
    """What the job runs: hyperparameters are arguments, folders are variables."""
    import tensorflow as tf
    import tf_keras

    import segmenter

    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=6)
    chosen = parser.parse_args(arguments)
    tf_keras.utils.set_random_seed(0)
    model = segmenter.train(annotated("TRAIN"), chosen.epochs)
    print(f"mean IoU: {segmenter.mean_iou(model, annotated('VALIDATION')):.4f}")
    folder = Path(os.environ["SM_MODEL_DIR"])
    segmenter.save(model, folder / "export")
    (folder / "plumbline.toml").write_text(segmenter.SPEC)
    (folder / "golden").mkdir()
    for file in sorted(Path(os.environ["SM_CHANNEL_VALIDATION"]).iterdir())[:GOLDEN]:
        shutil.copy(file, folder / "golden")
        inputs = segmenter.model_input(Image.open(file))[np.newaxis]
        output = np.asarray(tf.nn.softmax(model(inputs, training=False)[0]))
        named: dict[str, Any] = {model.output_names[0]: output}
        np.savez(folder / "golden" / f"{file.name}.npz", **named)


def annotated(channel: str) -> Iterator[Scene]:
    """The pictures of a channel with their masks, which lie in another."""
    masks = Path(os.environ[f"SM_CHANNEL_{channel}_ANNOTATION"])
    for file in sorted(Path(os.environ[f"SM_CHANNEL_{channel}"]).iterdir()):
        mask = np.asarray(Image.open(masks / f"{file.stem}.png"))
        yield Scene(Image.open(file), np.zeros((0, 4)), np.zeros(0), mask)


# -- the command ----------------------------------------------------------------------------------


def write_data(out: Path, count: int) -> None:
    """Pictures and masks in a folder for each channel, and new pictures without masks."""
    for name in (DATA, NEW, ANSWERS):
        shutil.rmtree(out / name, ignore_errors=True)
    for side, many in (("train", count), ("validation", max(GOLDEN, round(VALIDATED * count)))):
        pictures, masks = out / DATA / side, out / DATA / f"{side}_annotation"
        pictures.mkdir(parents=True)
        masks.mkdir()
        for number, scene in enumerate(scenes(many, held_out=side == "validation", seed=1)):
            scene.picture.save(pictures / f"{number:04}.jpg", quality=95)
            Image.fromarray(scene.mask).save(masks / f"{number:04}.png")
    (out / NEW).mkdir()
    for number, scene in enumerate(scenes(SHOWN, held_out=True)):
        scene.picture.save(out / NEW / f"{number}.jpg", quality=95)


def main(arguments: Sequence[str] | None = None) -> None:
    """Draw, train, ask, and show; or train, where a job runs this."""
    if "SM_MODEL_DIR" in os.environ:
        train(arguments)
        return
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--version", action="version", version=VERSION)
    parser.add_argument("--out", type=Path, default=Path("build/unet"), help="where to write")
    parser.add_argument("--scenes", type=int, default=800, help="how many pictures to learn from")
    parser.add_argument("--epochs", type=int, default=6, help="how often to see each of them")
    chosen = parser.parse_args(arguments)
    out: Path = chosen.out
    out.mkdir(parents=True, exist_ok=True)
    write_data(out, chosen.scenes)
    model, epochs = out / "model.tar.gz", f"epochs={chosen.epochs}"
    plumbline("train", out / DATA, "--script", __file__, "--set", epochs, "--out", model)
    plumbline("transform", out / NEW, "--model", model, "--out", out / ANSWERS, "--pictures")
    sheet(sorted((out / ANSWERS / "pictures").iterdir()), out / "drawn.png")


if __name__ == "__main__":
    main()
