"""Measure Plumbline beside its peers, on this machine, in one run.

    make bench          two models, Plumbline, the AWS sample stack, the bare loops: three minutes
    make bench-full     everything

Results, table and plot are written to build/bench after every run of a contender, so that what was
measured is kept if it is interrupted.
"""

from __future__ import annotations

import argparse
import json
import platform
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import report
from contenders import CONTENDERS, QUICK, Contender, chosen
from environments import NotAvailable, bin_folder
from measure import Plan, Run, rounds
from models import MODELS
from summary import CROWD

PACKAGES = {
    "aws": "gunicorn",
    "litserve": "litserve",
    "bentoml": "bentoml",
    "mlserver": "mlserver",
    "toolkit": "multi-model-server",
    "ray": "ray",
}
"""The package whose version counts."""


def quick(out: Path) -> Plan:
    """Three minutes."""
    return Plan(
        out,
        chosen(list(QUICK)),
        models=("mobilenet-v2", "cifar-cnn"),
        connections=(1, CROWD, 64),
        others=(),
        rounds=1,
        seconds=2,
    )


def full(out: Path) -> Plan:
    """Everything."""
    return Plan(out, CONTENDERS)


def plan_of(options: argparse.Namespace) -> Plan:
    """The plan that the command line asks for. Raises `ValueError` for unknown names."""
    out = options.out.resolve()  # servers run in folders of their own
    plan = full(out) if options.full else quick(out)
    asked: dict[str, Any] = {"rounds": options.rounds, "seconds": options.seconds}
    if options.servers:
        asked["contenders"] = chosen(options.servers.split(","))
    for name in ("models", "varied"):
        if getattr(options, name):
            asked[name] = known_models(getattr(options, name).split(","))
    if options.no_limits:
        asked["limits"] = ()
    return replace(plan, **{name: value for name, value in asked.items() if value is not None})


def known_models(names: list[str]) -> tuple[str, ...]:
    """Raises `ValueError` for unknown names."""
    unknown = sorted(set(names) - MODELS.keys())
    if unknown:
        raise ValueError(f"{', '.join(unknown)}: not among {', '.join(MODELS)}.")
    return tuple(names)


def version(contender: Contender, out: Path) -> str:
    """What is measured of it."""
    if not contender.peer:
        done = subprocess.run(
            ["git", "describe", "--always", "--dirty"],
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            check=False,
        )
        return done.stdout.strip() or "this tree"
    text = contender.requirements.read_text("utf-8")
    pinned = re.search(rf"^{PACKAGES[contender.name]}\S*==(\S+)", text, re.MULTILINE)
    try:
        bin_folder(contender, out)
    except NotAvailable:
        return "–"
    return pinned.group(1) if pinned else "–"


def machine() -> str:
    """The cores and what they are, no more precisely than makes a difference."""
    text = Path("/proc/cpuinfo").read_text("utf-8")
    found = re.search(r"^model name\s*: (\w+)\S* (\w+)", text, re.MULTILINE)
    name = " ".join(found.groups()) if found else platform.machine()
    flags = {"avx512f": "AVX-512", "avx512_bf16": "bf16", "avx512_vnni": "VNNI", "amx_tile": "AMX"}
    has = [label for flag, label in flags.items() if re.search(rf"\b{flag}\b", text)]
    count = text.count("\nprocessor") + 1
    return f"{count} cores of an {name}{' with ' if has else ''}{', '.join(has)}"


def described(plan: Plan) -> dict[str, Any]:
    """What the results say beside the runs."""
    kept = {"rounds", "seconds", "connections", "others"}
    return {
        "machine": machine(),
        "begun": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "plan": {name: value for name, value in asdict(plan).items() if name in kept},
        "models": {name: MODELS[name].title for name in plan.models},
        "limits": {limit.name: limit.title for limit in plan.limits},
        "contenders": {
            each.name: {
                "title": each.title,
                "how": each.how,
                "peer": each.peer,
                "version": version(each, plan.out),
            }
            for each in plan.contenders
        },
    }


def words(run: Run) -> str:
    """A run in a line."""
    name = run.get("contender") or f"bare {run['limit']}"
    begin = f"round {run['round'] + 1}  {run['model']:13} {name:21}"
    if "reason" in run:
        return f"{begin} {run['reason']}"
    if "rates" in run:
        return begin + "  ".join(f"{rate:.0f}/s×{count}" for count, rate in run["rates"].items())
    own = [load for load in run["loads"] if load["picture"] == run["loads"][0]["picture"]]
    rates = "  ".join(f"{load['rate']:.0f}/s@{load['connections']}" for load in own)
    return f"{begin} {rates}  {run['memory'] / 1e6:.0f} MB  start {run['first_answer']:.2f} s"


def kept(plan: Plan) -> Iterator[dict[str, Any]]:
    """The results so far, written down again after every run."""
    said = {**described(plan), "runs": []}
    for run in rounds(plan):
        print(words(run), flush=True)
        said["runs"].append(run)
        text = json.dumps(said, indent=1)
        (plan.out / "results.json").write_text(text + "\n", "utf-8")
        report.write(said, plan.out)
        yield said


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--full", action="store_true", help="all servers, models and pictures")
    parser.add_argument("--servers", help="only these, with commas between them")
    parser.add_argument("--models", help="only these, likewise")
    parser.add_argument("--varied", help="the models that all three pictures go to: all of them")
    parser.add_argument("--rounds", type=int, help="how often each is measured")
    parser.add_argument("--seconds", type=int, help="how long each load lasts")
    parser.add_argument("--no-limits", action="store_true", help="leave the bare loops out")
    parser.add_argument("--page", action="store_true", help="write docs/performance.md")
    parser.add_argument("--out", type=Path, default=Path("build/bench"), help="where to write")
    return parser


def interrupted(*_: object) -> None:
    """End as at Ctrl-C, which ends the server that runs."""
    raise KeyboardInterrupt


def main() -> int:
    """The exit status: 1 where nothing can be measured here."""
    options = arguments().parse_args()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, interrupted)
    if not sys.platform.startswith("linux") or not shutil.which("wrk"):
        print("The benchmark needs Linux and wrk (Debian: apt-get install wrk nginx-light).")
        return 1
    options.out.mkdir(parents=True, exist_ok=True)
    try:
        plan = plan_of(options)
        for _ in kept(plan):
            pass
    except ValueError as exc:
        print(exc)
        return 1
    except KeyboardInterrupt:
        print("Interrupted; what was measured before is kept.")
        return 130
    finished = [str(plan.out / "results.json"), *(["--page"] if options.page else [])]
    report.main(finished)
    print((plan.out / "table.md").read_text("utf-8"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
