"""What each layer of the server adds to an answer: the small CNN on four rungs, in CPU time.

    python benchmarks/ladder.py [--out build/bench] [--rounds 3] [--seconds 2]

CPU time an answer is that of all processes of the server; of a busy machine it is what to trust.
The bare loop does without HTTP, and the worker with a bare app without pictures.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
import simplejpeg
from PIL import Image

import answers
import bare
import pictures
from contenders import CONTAINER, CONTENDERS, HERE, Contender
from load import Request, post
from measure import Plan, prepare
from models import MODELS, made
from peers.shared import declared, prepared
from plumbline.drift import baseline
from plumbline.drift.looks import look
from plumbline.drift.picture_summary import said
from plumbline.results.task_results import Classes
from plumbline.settings import environment
from plumbline.telemetry.meter import FOLDER_VARIABLE, Meter
from plumbline.web.drift_counts import counting
from plumbline.web.exchange import Exchange
from plumbline.web.observation import Observer
from serving_process import running

MODEL = "cifar-cnn"
CONNECTIONS = (1, 16)

Figure = tuple[float, float]
"""Answers a second, and milliseconds of CPU time an answer."""


@dataclass(frozen=True)
class Ladder:
    """How it is measured."""

    out: Path
    seconds: int

    def loop(self, threads: int) -> Figure:
        """The bare loop: decode, prepare and infer."""
        target = made(self.out, MODEL)
        os.environ["BENCH_MODEL"] = str(target.served)
        declaration, body = declared(), self.picture.read_bytes()
        infer = bare.openvino(target.served / "saved_model", threads)

        def work() -> object:
            pixels = simplejpeg.decode_jpeg(body)
            return infer(prepared(Image.fromarray(pixels), declaration)[np.newaxis])

        bare.rate(work, threads, self.seconds / 4)
        begun, spent = time.perf_counter(), time.process_time()
        rate = bare.rate(work, threads, self.seconds)
        cores = (time.process_time() - spent) / (time.perf_counter() - begun)
        return rate, 1000 * cores / rate

    @property
    def picture(self) -> Path:
        """What is sent."""
        return pictures.write(self.out / "pictures")[MODELS[MODEL].picture]

    def served(self, contender: Contender) -> list[Figure]:
        """A server's figures, for each number of connections."""
        found = []
        form = answers.FORMS[contender.form]
        with running(contender, Path(sys.executable).parent, made(self.out, MODEL)) as server:
            server.first_answer(self.picture.read_bytes(), form.content_type, "")
            request = Request(server.url, self.picture, form.content_type, "application/json")
            post(request, CONNECTIONS[-1], 1)
            for count in CONNECTIONS:
                server.settle()
                before = server.cpu_seconds()
                done = post(request, count, self.seconds)
                server.settle()
                spent = server.cpu_seconds() - before
                found.append((done.rate, 1000 * spent / max(1, done.answers)))
        return found


def of_tree(name: str, title: str, app: str) -> Contender:
    """A rung that the worker stands on."""
    config = "python:plumbline.web.gunicorn_settings"
    return Contender(
        name=name,
        title=title,
        how="",
        command=(sys.executable, "-m", "gunicorn", "--config", config, f"ladder_apps:{app}()"),
        environment={"PYTHONPATH": os.pathsep.join((str(CONTAINER), str(HERE)))},
        peer=False,
    )


COUNTED = 20_000
"""Requests that are counted to measure what that costs."""

SPENT = {"wait": 0.005, "decode": 0.4, "preprocess": 0.2, "infer": 1.1, "encode": 0.05}
"""Milliseconds of a request's stages."""


PIXELS = np.random.default_rng(0).integers(0, 256, (480, 640, 3), np.uint8)

ANSWER = Classes(np.linspace(0.0, 1.0, 1000, dtype=np.float32), (999,), ("cat",))

USUAL = baseline.of("classification", [said(ANSWER).with_look(look(PIXELS))] * 50)
"""As an archive has it that was packed with pictures: these are counted, too."""


def metrics_cost() -> float:
    """Microseconds of CPU time that the metrics of an answer take."""
    came = Exchange("POST", "/invocations", {}, (), 2000, lambda: False)
    came.watch.laps.update(SPENT)
    came.watch.answered = 1
    with tempfile.TemporaryDirectory() as folder, environment.lent(FOLDER_VARIABLE, folder):
        observer = Observer(meter := Meter(Path(folder), 0))
        tally = counting(meter, USUAL)
        begun = time.process_time()
        for _ in range(COUNTED):
            observer.ended(came, 200, 0.002)
            tally(look(PIXELS), ANSWER)
        return 1e6 * (time.process_time() - begun) / COUNTED


RUNGS = (
    of_tree("bare-app", "a bare app under the worker", "bare"),
    of_tree("uncounted", "a fake engine, no metrics", "uncounted"),
    of_tree("fake", "Plumbline, a fake engine", "fake"),
    next(one for one in CONTENDERS if one.name == "plumbline"),
)


def main() -> None:
    """Measure, and print the ladder."""
    parser = argparse.ArgumentParser(description="the ladder from the bare loop to the server")
    parser.add_argument("--out", type=Path, default=Path("build/bench"))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=2)
    options = parser.parse_args()
    ladder = Ladder(options.out.resolve(), options.seconds)
    prepare(Plan(ladder.out, (), models=(MODEL,)))
    rungs: list[tuple[str, Callable[[], list[Figure]]]] = [
        ("bare loop", lambda: [ladder.loop(count) for count in (1, os.cpu_count() or 1)])
    ]
    rungs += [(each.title, lambda each=each: ladder.served(each)) for each in RUNGS]  # type: ignore[misc]
    figures: dict[str, list[list[Figure]]] = {title: [] for title, _ in rungs}
    for _ in range(options.rounds):
        for title, measure in rungs:
            figures[title].append(measure())
    print(f"{MODELS[MODEL].title}, medians of {options.rounds} rounds:")
    for title, found in figures.items():
        for place, count in enumerate(CONNECTIONS):
            rate, cpu = (median(run[place][part] for run in found) for part in (0, 1))
            print(
                f"  {title:28} {count:3} at a time: {rate:6.0f}/s, {cpu:5.2f} ms of CPU an answer"
            )
    print(f"  of it metrics: {metrics_cost():.0f} µs of CPU an answer, counted by itself")


if __name__ == "__main__":
    main()
