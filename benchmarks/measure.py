"""Rounds: every contender after the other, loaded in the same way, written down as it goes."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import answers
import pictures
from contenders import HERE, LIMITS, Contender, Limit
from environments import NotAvailable, bin_folder
from load import Request, post
from models import MODELS, is_fresh, made
from processes import Watch
from serving_process import Server, running

WARM_UP = 16
"""Connections of the load that is not counted."""

Run = dict[str, Any]


@dataclass(frozen=True)
class Plan:
    """What is measured.

    `others` are the connections for pictures that a model is not for, `varied` the models that get
    those.
    """

    out: Path
    contenders: tuple[Contender, ...]
    limits: tuple[Limit, ...] = LIMITS
    models: tuple[str, ...] = tuple(MODELS)
    connections: tuple[int, ...] = (1, 4, 16, 64)
    others: tuple[int, ...] = (1, 16)
    varied: tuple[str, ...] = tuple(MODELS)
    rounds: int = 3
    seconds: int = 5

    def cases(self, model: str) -> Iterator[tuple[str, int]]:
        """Picture and connections of each load, the model's own picture first."""
        own = MODELS[model].picture
        yield from ((own, count) for count in self.connections)
        rest = [name for name in pictures.SIZES if name != own and model in self.varied]
        yield from ((name, count) for name in rest for count in self.others)


def rounds(plan: Plan) -> Iterator[Run]:
    """Every run: round after round, model after model, contender after contender."""
    prepare(plan)
    for number in range(plan.rounds):
        for model in plan.models:
            for contender in plan.contenders:
                yield {"round": number, "model": model, **one(plan, contender, model)}
            for limit in plan.limits:
                yield {"round": number, "model": model, **bare(plan, limit, model)}


def prepare(plan: Plan) -> None:
    """Make the pictures and the models that are missing, each in a process of its own."""
    pictures.write(plan.out / "pictures")
    paths = os.pathsep.join([str(HERE), str(HERE.parent / "container")])
    for name in plan.models:
        if not is_fresh(made(plan.out, name)):
            print(f"building {name}", flush=True)
            command = [sys.executable, str(HERE / "models.py"), str(plan.out), name]
            environment = {**os.environ, "PYTHONPATH": paths, "TF_CPP_MIN_LOG_LEVEL": "3"}
            subprocess.run(command, env=environment, check=True)


def one(plan: Plan, contender: Contender, model: str) -> Run:
    """A contender's run; `reason` says why there are no figures."""
    said = {"contender": contender.name}
    try:
        with running(contender, bin_folder(contender, plan.out), made(plan.out, model)) as server:
            return {**said, **figures(plan, server, model)}
    except (NotAvailable, ValueError) as exc:
        return {**said, "reason": str(exc)}


def figures(plan: Plan, server: Server, model: str) -> Run:
    """The figures of a server that has just been started. Raises `NotAvailable`."""
    own, asked = MODELS[model].picture, requests(plan, server, model)
    request = asked[own]
    start = server.first_answer(request.body.read_bytes(), request.content_type, request.accept)
    largest = max(verify(plan, server, model, picture) for picture in asked)
    post(request, WARM_UP, max(1, plan.seconds // 2))
    with Watch(server.pid) as watch:
        loads = [load(server, asked, *case, plan.seconds) for case in plan.cases(model)]
    return {
        "first_answer": start,
        "difference": largest,
        "memory": watch.peak,
        "loads": loads,
        "form": form_of(server.log.read_text("utf-8", "replace")),
        "stages": stages(server.log.read_text("utf-8", "replace").splitlines()),
    }


def requests(plan: Plan, server: Server, model: str) -> dict[str, Request]:
    """What is sent, by the name of the picture."""
    contender, answer = server.contender, MODELS[model].declaration.answer
    form = answers.FORMS[contender.form]
    wanted = dict.fromkeys(picture for picture, _ in plan.cases(model))
    files = pictures.write(plan.out / "pictures")
    return {
        name: Request(
            server.url,
            answers.write(contender.form, files[name], server.folder),
            form.content_type,
            answers.accept(answer),
        )
        for name in wanted
    }


def verify(plan: Plan, server: Server, model: str, picture: str) -> float:
    """How far an answer is from TensorFlow's. Raises `NotAvailable` where that is too far."""
    contender, answer = server.contender, MODELS[model].declaration.answer
    form = answers.FORMS[contender.form]
    body = form.wrap(pictures.write(plan.out / "pictures")[picture].read_bytes())
    status, said = server.ask(body, form.content_type, answers.accept(answer))
    if status != 200:
        raise NotAvailable(f"it answers {picture} with {status}: {said[:200]!r}")
    expected = made(plan.out, model).expected(picture)
    found = answers.difference(form.unwrap(said), expected, answer)
    if not found <= contender.tolerance:
        raise NotAvailable(f"its answer to {picture} is {found:.2g} off TensorFlow's")
    return found


def load(
    server: Server, asked: Mapping[str, Request], picture: str, connections: int, seconds: int
) -> Run:
    """One load, with what the server computed for it."""
    server.settle()
    before = server.cpu_seconds()
    done = post(asked[picture], connections, seconds)
    spent = server.cpu_seconds() - before
    rest = {"picture": picture, "rate": done.rate, "cpu": spent / max(1, done.answers)}
    return {**asdict(done), **rest}


def form_of(log: str) -> str:
    """Which form of the model Plumbline has chosen, by its own log; "" of a peer."""
    found = re.search(r"OpenVINO computes the model, in ([\w+]+)\.", log)
    return found[1] if found else ""


def stages(lines: Sequence[str]) -> dict[str, float]:
    """Milliseconds by stage over all answers that a log of JSON lines speaks of."""
    totals: dict[str, float] = {}
    for line in lines:
        for stage, spent in milliseconds(line).items():
            totals[stage] = totals.get(stage, 0.0) + spent
    return totals


def milliseconds(line: str) -> dict[str, float]:
    """The `ms` of an answer's line; nothing for any other line."""
    try:
        said = json.loads(line)
    except ValueError:
        return {}
    return said["ms"] if isinstance(said, dict) and said.get("status") == 200 else {}


def bare(plan: Plan, limit: Limit, model: str) -> Run:
    """A limit's run: its rates by the number of threads, or the reason why there are none."""
    picture = pictures.write(plan.out / "pictures")[MODELS[model].picture]
    arguments = (limit.name, str(made(plan.out, model).served), str(picture), str(plan.seconds))
    done = subprocess.run(
        [sys.executable, str(HERE / "bare.py"), *arguments],
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        return {"limit": limit.name, "reason": (done.stderr.splitlines() or ["it failed"])[-1]}
    return {"limit": limit.name, "rates": json.loads(done.stdout.splitlines()[-1])}
