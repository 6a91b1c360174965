"""A classifier from RecordIO files, and a folder of pictures answered in bulk, in one command.

    python model/examples/bulk.py --out build/bulk

The pictures are scikit-learn's scanned digits on slips of paper, packed as MXNet's `im2rec.py`
packs them; the hyperparameters have the names of AWS's image classification, whose job moves over
by changing the image. The pictures that nobody has learnt from then go through a batch transform,
which answers as that algorithm does: `{"prediction": [0.0003, 0.055, …]}`. A minute on two cores.
"""

from __future__ import annotations

import argparse
import io
import json
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from plumbline.machine.program_name import VERSION
from plumbline.training.readers.picture_records import pack
from plumbline.training.readers.recordio import frame
from scenes import DIGITS, make_slip, source
from shell import plumbline, sheet

DATA, PHOTOS, ANSWERS = "data", "photos", "answers"
"""Folders: the job's channels, what is asked afterwards, and the answers."""

SIDE = 64
"""Pixels of a picture."""

SETTINGS = {
    "num_layers": 20,
    "image_shape": "3,32,32",
    "num_classes": len(DIGITS),
    "mini_batch_size": 32,
    "learning_rate": 0.05,
    "lr_scheduler_step": "4",
    "class_names": ",".join(DIGITS),
}
"""As a job of AWS's image classification has them; the last are ours."""

SHOWN = 10
"""How many answers are drawn."""


def pictures(count: int, *, held_out: bool) -> Iterator[tuple[bytes, int]]:
    """JPEG files of so many digits, and their classes."""
    found = source(held_out)
    for number in range(min(count, len(found.digits))):
        rng = np.random.default_rng((held_out, number))
        slip = make_slip(rng, found.scans[number], SIDE * 0.6)
        desk = Image.new("RGB", (SIDE, SIDE), tuple(rng.integers(40, 130, 3).tolist()))
        place = [round((SIDE - side) / 2) for side in slip.picture.size]
        desk.paste(slip.picture, (place[0], place[1]), slip.paper)
        file = io.BytesIO()
        desk.save(file, "JPEG", quality=95)
        yield file.getvalue(), int(found.digits[number])


def write_data(out: Path, count: int) -> dict[str, int]:
    """`train.rec` and `validation.rec`, and the second's pictures as files; their classes."""
    for name in (DATA, PHOTOS, ANSWERS):
        shutil.rmtree(out / name, ignore_errors=True)
    (out / PHOTOS).mkdir()
    truth = {}
    for side in ("train", "validation"):
        found = pictures(count, held_out=side == "validation")
        (out / DATA / side).mkdir(parents=True)
        with (out / DATA / side / f"{side}.rec").open("wb") as file:
            for number, (data, digit) in enumerate(found):
                file.write(frame(pack(data, (float(digit),), number)))
                if side == "validation":
                    truth[f"{number:04}.jpg"] = digit
                    (out / PHOTOS / f"{number:04}.jpg").write_bytes(data)
    return truth


def accuracy(answers: Path, truth: dict[str, int]) -> float:
    """The share of right answers; a line is `{"file": …, "prediction": [0.0003, 0.055, …]}`."""
    lines = [json.loads(line) for line in (answers / "predictions.jsonl").read_text().splitlines()]
    right = [int(np.argmax(line["prediction"])) == truth[line["file"]] for line in lines]
    return sum(right) / len(truth)


def main(arguments: Sequence[str] | None = None) -> None:
    """Pack, train, answer, and show."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--version", action="version", version=VERSION)
    parser.add_argument("--out", type=Path, default=Path("build/bulk"), help="where to write")
    parser.add_argument("--pictures", type=int, default=10_000, help="how many at most")
    parser.add_argument("--epochs", type=int, default=6, help="how often to see each of them")
    chosen = parser.parse_args(arguments)
    out: Path = chosen.out
    out.mkdir(parents=True, exist_ok=True)
    truth = write_data(out, chosen.pictures)
    model, settings = out / "model.tar.gz", {**SETTINGS, "epochs": chosen.epochs}
    given = [word for pair in settings.items() for word in ("--set", "{}={}".format(*pair))]
    plumbline("train", out / DATA, *given, "--report", out / "report", "--out", model)
    wanted = ("--pictures", "--format", "builtin")
    plumbline("transform", out / PHOTOS, "--model", model, "--out", out / ANSWERS, *wanted)
    print(f"{accuracy(out / ANSWERS, truth):.2%} of {len(truth)} answers are right.")
    drawn = sorted((out / ANSWERS / "pictures").iterdir())[:SHOWN]
    sheet(drawn, out / "drawn.png", across=5)


if __name__ == "__main__":
    main()
