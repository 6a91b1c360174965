"""How servers do with less: fewer cores, little memory, large bodies, many or short connections.

    python benchmarks/restraint.py [--servers plumbline,aws] [--model mobilenet-v2] [--seconds 3]

Cores and memory are limited by a control group, as Docker does it, which the server is started in;
the load comes from outside of it. Each row is a load of its own, all of one server after another;
needs Linux, wrk, and root.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

import answers
import pictures
from contenders import CONTENDERS, Contender
from environments import NotAvailable, bin_folder
from load import Load, Request, post
from measure import Plan, prepare
from models import MODELS, made
from processes import Watch
from serving_process import Server, running

GROUPS = Path("/sys/fs/cgroup")

PERIOD = 100_000
"""Microseconds over which a share of cores is counted."""

GIBIBYTE = 1024**3

NOISE_SIDE = 2880
"""Of a square PNG of noise: 24.9 MB, and SageMaker takes 25 (of 1,000,000 bytes)."""


@dataclass(frozen=True)
class Restraint:
    """What a server has, and what is asked of it; None is all that there is."""

    title: str
    cores: float | None = None
    memory: int | None = None
    connections: int = 16
    picture: str = ""
    is_kept: bool = True


RESTRAINTS = (
    Restraint("all cores"),
    Restraint("one core", cores=1),
    Restraint("half a core", cores=0.5),
    Restraint("one core, 1 GiB", cores=1, memory=GIBIBYTE),
    Restraint("64 connections", connections=64),
    Restraint("512 connections", connections=512),
    Restraint("a connection for each request", is_kept=False),
    Restraint("12 MP, 4 connections", picture="12MP", connections=4),
    Restraint("25 MB, 4 connections", picture="25MB", connections=4),
)


def limits(wanted: Restraint, *, is_second: bool) -> Iterator[tuple[Path, str, str]]:
    """The parent of a group, a file of the group, and what is written to it.

    Version 2 of control groups has one tree, and version 1 one for each controller.
    """
    if wanted.cores:
        quota = int(wanted.cores * PERIOD)
        if is_second:
            yield GROUPS, "cpu.max", f"{quota} {PERIOD}"
        else:
            yield GROUPS / "cpu", "cpu.cfs_quota_us", str(quota)
    if wanted.memory:
        parent, name = ("", "max") if is_second else ("memory", "limit_in_bytes")
        yield GROUPS / parent, f"memory.{name}", str(wanted.memory)


@contextmanager
def limited(wanted: Restraint) -> Iterator[Callable[[], None]]:
    """Let what is started have no more than this, until what is given here is called.

    Raises `NotAvailable`.
    """
    is_second = (GROUPS / "cgroup.controllers").exists()
    wished = list(limits(wanted, is_second=is_second))
    parents = {parent for parent, _, _ in wished}
    name = f"plumbline-bench-{os.getpid()}"
    try:
        for parent in parents:
            (parent / name).mkdir()
        for parent, file, text in wished:  # a file that the kernel has not made can't be, either
            (parent / name / file).write_text(text)
        join([parent / name for parent in parents])
    except OSError as exc:
        raise NotAvailable(f"control groups can't be made here: {exc}") from exc
    try:
        yield partial(join, parents)
    finally:
        join(parents)
        for parent in parents:
            (parent / name).rmdir()


def join(groups: Iterable[Path]) -> None:
    """Make this process one of these groups."""
    for group in groups:
        (group / "cgroup.procs").write_text(str(os.getpid()))


@dataclass(frozen=True)
class Row:
    """What came of one load."""

    load: Load
    start: float
    memory: int


def picture_file(out: Path, wanted: Restraint, model: str) -> Path:
    """What is sent."""
    files = pictures.write(out / "pictures")
    if wanted.picture != "25MB":
        return files[wanted.picture or MODELS[model].picture]
    file = out / "pictures" / "25MB.png"
    if not file.exists():
        noise = np.random.default_rng(0).integers(0, 256, (NOISE_SIDE, NOISE_SIDE, 3), np.uint8)
        Image.fromarray(noise).save(file, compress_level=1)
    return file


def measured(contender: Contender, wanted: Restraint, model: str, out: Path, seconds: int) -> Row:
    """A server with a restraint, from its start to its end. Raises `NotAvailable`."""
    programs, target = bin_folder(contender, out), made(out, model)
    with limited(wanted) as leave, running(contender, programs, target) as server:
        leave()
        return loaded(server, wanted, model, out, seconds)


def loaded(server: Server, wanted: Restraint, model: str, out: Path, seconds: int) -> Row:
    """What a server that has been started does."""
    form, file = answers.FORMS[server.contender.form], picture_file(out, wanted, model)
    accept = answers.accept(MODELS[model].declaration.answer)
    kind = "image/png" if file.suffix == ".png" else form.content_type
    start = server.first_answer(form.wrap(file.read_bytes()), kind, accept)
    with tempfile.TemporaryDirectory() as folder, Watch(server.pid) as watch:
        body = answers.write(server.contender.form, file, Path(folder))
        request = Request(server.url, body, kind, accept, is_kept=wanted.is_kept)
        post(request, wanted.connections, max(1, seconds // 2))
        server.settle()
        found = post(request, wanted.connections, seconds)
    return Row(found, start, watch.peak)


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description="servers with less than they would like")
    parser.add_argument("--out", type=Path, default=Path("build/bench"))
    parser.add_argument("--servers", default="plumbline,aws")
    parser.add_argument("--model", default="mobilenet-v2", choices=MODELS)
    parser.add_argument("--seconds", type=int, default=3)
    options = parser.parse_args()
    out = options.out.resolve()
    chosen = [one for one in CONTENDERS if one.name in options.servers.split(",")]
    prepare(Plan(out, (), models=(options.model,)))
    print("| what | server | req/s | p50 ms | p99 ms | errors | memory, MB | start, s |")
    print("|---|---|---|---|---|---|---|---|")
    for wanted in RESTRAINTS:
        for contender in chosen:
            try:
                row = measured(contender, wanted, options.model, out, options.seconds)
            except NotAvailable as exc:
                print(f"| {wanted.title} | {contender.title} | {exc} |", flush=True)
                continue
            figures = (row.load.rate, row.load.p50, row.load.p99)
            rounded = " | ".join(f"{figure:.0f}" for figure in figures)
            rest = f"{row.load.errors} | {row.memory / 1e6:.0f} | {row.start:.2f}"
            print(f"| {wanted.title} | {contender.title} | {rounded} | {rest} |", flush=True)


if __name__ == "__main__":
    main()
