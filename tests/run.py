"""All groups of tests, two at a time, each spread over processes: what `make test` runs.

    python tests/run.py              every group, the fast ones first
    python tests/run.py unit http    some of them

A group is a folder beside this file. Each is a pytest session of its own, which pytest-xdist
spreads over processes. Two run at a time: one that waits for servers leaves the processors to one
that computes. `GROUPS` says over how many processes, and how tests are dealt to them:

- `worksteal` deals single tests: the fairest, and what is made once a session is made in each
  process, unless `made_once` shares it;
- `loadfile` keeps the tests of a file together: what they share is made once, and a file that waits
  for a server or a container leaves the processor to another.

Each group is told in a line as it ends, with what failed as pytest shows it and the reasons why
tests were skipped. At the end come the slowest tests of all groups, with what fixtures took of
their time, and `N passed, N failed, N skipped` in a line. The exit status is 1 if anything failed,
or if a group ran no test.
"""

from __future__ import annotations

import argparse
import io
import sys
import time
from collections import Counter, defaultdict
from concurrent.futures import ProcessPoolExecutor
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from functools import partial
from heapq import nlargest
from multiprocessing import get_context
from operator import itemgetter
from pathlib import Path
from typing import NamedTuple

import pytest


class Plan(NamedTuple):
    """How a group is run."""

    processes: int
    dealt: str
    """What pytest-xdist calls `--dist`."""


GROUPS = {
    "unit": Plan(2, "worksteal"),
    "http": Plan(4, "worksteal"),
    "parity": Plan(2, "worksteal"),
    "engines": Plan(2, "loadfile"),
    "deployment": Plan(2, "worksteal"),
    "container": Plan(3, "loadfile"),
}
"""In this order: what fails in seconds comes before engines and images."""

COUNTED = {
    "passed": "passed",
    "xfailed": "passed",
    "failed": "failed",
    "error": "failed",
    "skipped": "skipped",
}
"""What becomes of pytest's own kinds of outcomes; a fixture's error is a failure."""

SLOWEST = 10


AT_ONCE = 2
"""Groups that run at a time."""


@dataclass
class Told:
    """What pytest has told of one group; a plugin of its session."""

    name: str
    terminal: bool = False
    """Whether it is shown meanwhile that it goes on."""
    counts: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    """Why tests were skipped, and how many were for that."""
    seconds: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    """By test, with its fixtures."""
    fixtures: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    """The fixtures' part of that."""
    done: int = 0
    text: str = ""
    """What is to be shown of the group once it has ended."""
    well: bool = True

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count the seconds; on a terminal, show that it goes on."""
        self.seconds[report.nodeid] += report.duration
        if report.when != "call":
            self.fixtures[report.nodeid] += report.duration
        if report.when == "teardown":
            self.done += 1
            if self.terminal:
                print(f"\r{self.name:<12}{self.done} tests ", end="", file=sys.stderr, flush=True)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Take over what pytest has counted, errors of collection included."""
        for kind, ours in COUNTED.items():
            self.counts[ours] += len(terminalreporter.stats.get(kind, []))
        self.reasons.update(map(reason, terminalreporter.stats.get("skipped", [])))


def reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    """Why a test was skipped."""
    _, _, why = report.longrepr if isinstance(report.longrepr, tuple) else ("", 0, "")
    return why.removeprefix("Skipped: ")


def run_group(named: tuple[str, Plan], tests: Path, *, terminal: bool) -> Told:
    """What came of a group."""
    name, plan = named
    told, printed, begun = Told(name, terminal), io.StringIO(), time.monotonic()
    options = ["-q", f"--numprocesses={plan.processes}"]
    options += [f"--dist={plan.dealt}"] if plan.processes else []
    with redirect_stdout(printed):
        status = pytest.main([*options, str(tests / name)], plugins=[told])
    lines = []
    if status not in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
        shown = printed.getvalue()
        lines.append(shown[max(shown.find("\n==="), 0) :])
        told.counts["failed"] = max(told.counts["failed"], 1)
    if status == pytest.ExitCode.NO_TESTS_COLLECTED:
        lines.append(f"{name}: there is no test in {tests / name}")
    took = f"{time.monotonic() - begun:.0f} s, {plan.processes} processes"
    lines.append(f"{name:<12}{counted(told.counts)} ({took})")
    lines += [f"{'':<12}{count} skipped: {why}" for why, count in told.reasons.items()]
    told.text, told.well = "\n".join(lines), status == pytest.ExitCode.OK
    return told


def counted(counts: Counter[str]) -> str:
    """Such as `5 passed, 1 failed, 0 skipped`."""
    return ", ".join(f"{counts[kind]} {kind}" for kind in ("passed", "failed", "skipped"))


def show_slowest(groups: list[Told]) -> None:
    """A line for each of the slowest tests."""
    print(f"\nThe slowest {SLOWEST}, and their fixtures' part:")
    all_of_them = ((took, test, group) for group in groups for test, took in group.seconds.items())
    for took, test, group in nlargest(SLOWEST, all_of_them, key=itemgetter(0)):
        print(f"{took:6.1f} s {group.fixtures[test]:6.1f} s  {test}")


def main() -> int:
    """The exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("groups", nargs="*", metavar="GROUP", help=f"of {', '.join(GROUPS)}")
    parser.add_argument("--processes", type=int, help="for each group; 0 is this one alone")
    parser.add_argument("--tests", type=Path, default=Path(__file__).parent, help="their folder")
    chosen = parser.parse_args()
    unknown = sorted(set(chosen.groups) - set(GROUPS))
    if unknown:
        parser.error(f"there is no group {', '.join(unknown)}; there are {', '.join(GROUPS)}")
    plans = {name: plan for name, plan in GROUPS.items() if name in (chosen.groups or GROUPS)}
    if chosen.processes is not None:
        plans = {name: plan._replace(processes=chosen.processes) for name, plan in plans.items()}
    run = partial(run_group, tests=chosen.tests, terminal=sys.stderr.isatty())
    ended = []
    # A process for each: pytest is not made to run twice in one.
    with ProcessPoolExecutor(AT_ONCE, get_context("spawn"), max_tasks_per_child=1) as pool:
        for told in pool.map(run, plans.items()):
            print(f"\r{told.text}" if sys.stderr.isatty() else told.text, flush=True)
            ended.append(told)
    show_slowest(ended)
    total = sum((told.counts for told in ended), Counter[str]())
    print(f"\n{counted(total)}")
    return 0 if all(told.well for told in ended) else 1


if __name__ == "__main__":
    sys.exit(main())
