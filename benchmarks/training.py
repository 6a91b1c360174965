"""`plumbline train` beside plain Keras with the same networks: scores, speed, start, memory.

    python benchmarks/training.py [--only digits,pieces,boxes,masks] [--seeds 0,1,2]

Both get the same files, network, optimizer and schedule (`learnt_sets.py`, `plain_loops.py`). The
score is that of the best epoch in validation: accuracy, mAP at an overlap of 0.5, mean IoU.
Pictures a second are those of the steps alone, without validation. Each run is a process of its
own, and both take turns.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, median
from typing import Any

from rich.console import Console
from rich.table import Table

import learnt_sets

CONTENDERS = ("plain Keras", "plumbline train")

SCORES = ("validation:accuracy", "validation:mAP", "validation:mIOU")

SMALL = {
    "size": 32,
    "network": "resnet20",
    "batch_size": 32,
    "learning_rate": 0.01,
    "resize": "tensorflow-bilinear",
}

ADAM = {"batch_size": 16, "optimizer": "adam", "learning_rate": 0.003, "augmentation_type": "none"}


@dataclass(frozen=True)
class Task:
    """A set, the plain loop that learns it, and the hyperparameters of both."""

    write: Callable[[Path], None]
    loop: str
    epochs: int
    given: Mapping[str, Any]


TASKS: Mapping[str, Task] = {
    "digits": Task(learnt_sets.digits, "classes", 8, SMALL),
    "pieces": Task(learnt_sets.pieces, "classes", 12, SMALL),
    "boxes": Task(learnt_sets.boxes, "boxes", 12, {"size": 160, **ADAM}),
    "masks": Task(learnt_sets.masks, "masks", 15, {"size": 128, **ADAM}),
    "many": Task(lambda _: None, "classes", 1, SMALL),
}


def plain(task: Task, folder: Path, seed: int) -> None:
    """The loop, in this process."""
    import keras

    import plain_loops

    keras.utils.set_random_seed(seed)
    getattr(plain_loops, task.loop)(folder, task.epochs, seed, dict(task.given))


def job(task: Task, folder: Path, seed: int) -> None:
    """The same by a recipe, in this process."""
    from plumbline.training import recipes
    from plumbline.training.job import read_job
    from plumbline.training.recipe_process import RECIPES
    from plumbline.training.stopping import Stop

    given = {
        **task.given,
        "learning_rate_schedule": "cosine",
        "weight_decay": 0,
        "epochs": task.epochs,
        "seed": seed,
    }
    tell()
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        for part in ("input/config", "input/data", "model", "output/data"):
            (root / part).mkdir(parents=True)
        for side in folder.iterdir():
            (root / "input/data" / side.name).symlink_to(side.resolve())
        texts = {key: str(value) for key, value in given.items()}
        (root / "input/config/hyperparameters.json").write_text(json.dumps(texts))
        found = read_job(root, {})
        recipes.choose(found, RECIPES).train(found, Stop())


def tell() -> None:
    """Let the job print what the plain loops print."""
    from plumbline.training.epoch_lines import EpochLines

    step, told, ended = EpochLines.step, EpochLines.epoch, [0.0]

    def stepped(self: EpochLines, epoch: int, number: int, steps: int) -> None:
        if not epoch and not number:
            print("first step", flush=True)
        ended[0] = time.monotonic()
        step(self, epoch, number, steps)

    def epoch_ended(self: EpochLines, epoch: int, metrics: Mapping[str, float]) -> None:
        score = next(metrics[name] for name in SCORES if name in metrics)
        print(f"epoch {score:.6g} {ended[0] - self.begun:.3f}", flush=True)
        told(self, epoch, metrics)

    EpochLines.step = stepped  # type: ignore[method-assign, assignment]
    EpochLines.epoch = epoch_ended  # type: ignore[method-assign]


class Run:
    """A process that trains, and what its lines say."""

    def __init__(self, contender: str, task: str, folder: Path, seed: int) -> None:
        begun = time.monotonic()
        command = [sys.executable, __file__, "--run", contender, task, str(folder), str(seed)]
        process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
        )
        assert process.stdout is not None
        scores, seconds, self.first_step, self.memory = [], [], float("nan"), 0
        for line in process.stdout:
            match line.split():
                case ["first", "step"]:
                    self.first_step = time.monotonic() - begun
                case ["epoch", score, spent]:
                    scores.append(float(score))
                    seconds.append(float(spent))
                case ["memory", peak]:
                    self.memory = int(peak)
        if process.wait():
            raise SystemExit(f"{contender} failed: {' '.join(command)}")
        self.score, self.epoch = max(scores), median(seconds[1:] or seconds)


def rows(name: str, seeds: list[int], folder: Path) -> Iterator[tuple[str, ...]]:
    """The table's rows of a set: scores and speed of both."""
    TASKS[name].write(folder)
    endings = {".png", ".jpg"}
    pictures = sum(file.suffix in endings for file in (folder / "train").rglob("*"))
    found: dict[str, list[Run]] = {contender: [] for contender in CONTENDERS}
    for seed in seeds:
        for contender in CONTENDERS:
            found[contender].append(Run(contender, name, folder, seed))
            print(f"{name}, seed {seed}, {contender}: {found[contender][-1].score:.4f}", flush=True)
    for contender, runs in found.items():
        yield (
            name,
            contender,
            f"{100 * mean(run.score for run in runs):.2f} %",
            " ".join(f"{100 * run.score:.1f}" for run in runs),
            f"{pictures / median(run.epoch for run in runs):.0f}",
            f"{median(run.first_step for run in runs):.1f} s",
        )


def memory(work: Path) -> Iterator[tuple[str, ...]]:
    """Peak memory of the job, with so many pictures and ten times as many."""
    for count in (100, 1000):
        folder = learnt_sets.many(work / f"many-{count}", count)
        run = Run("plumbline train", "many", folder, 0)
        yield f"{2 * count:,} photographs", f"{run.memory / 1024:.0f} MiB"


def main() -> None:
    """Measure, and print two tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    sets = [name for name in TASKS if name != "many"]
    parser.add_argument("--only", default=",".join([*sets, "memory"]))
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--run", nargs=4, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.run:
        contender, name, folder, seed = chosen.run
        work = plain if contender == CONTENDERS[0] else job
        work(TASKS[name], Path(folder), int(seed))
        print("memory", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
        return
    seeds, only = [int(seed) for seed in chosen.seeds.split(",")], chosen.only.split(",")
    console = Console()
    with tempfile.TemporaryDirectory(prefix="plumbline-training-") as place:
        table = Table("set", "", "score", "by seed", "pictures/s", "first step after")
        for name in filter(only.__contains__, sets):
            for row in rows(name, seeds, Path(place) / name):
                table.add_row(*row)
        console.print(table)
        if "memory" in only:
            table = Table("data", "peak memory")
            for line in memory(Path(place)):
                table.add_row(*line)
            console.print(table)
    console.print(f"{os.cpu_count()} cores, {platform.processor() or platform.machine()}")


if __name__ == "__main__":
    main()
