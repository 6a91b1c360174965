"""All groups of tests, one after another, each spread over processes: what `make test` runs.

    python tests/run.py              every group, the fast ones first
    python tests/run.py unit http    some of them

A group is a folder beside this file. Each is a pytest session of its own, which pytest-xdist
spreads over processes; `GROUPS` says over how many, and how tests are dealt to them:

- `worksteal` deals single tests: the fairest, and what is made once a session is made in each
  process, unless `made_once` shares it;
- `loadfile` keeps the tests of a file together: what they share is made once, and a file that waits
  for a server or a container leaves the processor to another.

Each group is told in a line as it ends, with what failed as pytest shows it and the reasons why
tests were skipped. At the end come the slowest tests of all groups, with what fixtures took of
their time, and `N passed, N failed, N skipped` in a line. The exit status is 1 if anything failed,
or if a group ran no test.

With `PLUMBLINE_TEST_AGAIN=N` up to N tests that failed are run once more, alone: what a machine
full of other tests has made too slow passes then, and is told as unsteady with its first failure.
"""

from __future__ import annotations

import argparse
import io
import os
import subprocess
import sys
import time
from collections import Counter, defaultdict
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from heapq import nlargest
from operator import itemgetter
from pathlib import Path
from typing import NamedTuple, TextIO

import pytest


class Plan(NamedTuple):
    """How a group is run."""

    processes: int
    dealt: str
    """What pytest-xdist calls `--dist`."""


GROUPS = {
    "unit": Plan(2, "worksteal"),
    "processes": Plan(2, "worksteal"),
    "http": Plan(5, "worksteal"),
    "browser": Plan(2, "loadfile"),
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


@dataclass
class Told:
    """What pytest has told of one group; a plugin of its session."""

    name: str
    screen: TextIO
    counts: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    """Why tests were skipped, and how many were for that."""
    seconds: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    """By test, with its fixtures."""
    fixtures: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    """The fixtures' part of that."""
    failed: list[str] = field(default_factory=list)
    """The tests, or their fixtures, that failed."""
    done: int = 0

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count the seconds; on a terminal, show that it goes on."""
        self.seconds[report.nodeid] += report.duration
        if report.when != "call":
            self.fixtures[report.nodeid] += report.duration
        if report.failed and report.nodeid not in self.failed:
            self.failed.append(report.nodeid)
        if report.when == "teardown":
            self.done += 1
            if self.screen.isatty():
                print(f"\r{self.name:<12}{self.done} tests", end="", file=self.screen, flush=True)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Take over what pytest has counted, errors of collection included."""
        for kind, ours in COUNTED.items():
            self.counts[ours] += len(terminalreporter.stats.get(kind, []))
        self.reasons.update(map(reason, terminalreporter.stats.get("skipped", [])))


def reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    """Why a test was skipped."""
    _, _, why = report.longrepr if isinstance(report.longrepr, tuple) else ("", 0, "")
    return why.removeprefix("Skipped: ")


def run_group(name: str, plan: Plan, tests: Path, screen: TextIO) -> tuple[Told, bool]:
    """What came of a group, and whether all is well; told on `screen`."""
    told, printed, begun = Told(name, screen), io.StringIO(), time.monotonic()
    options = ["-q", f"--numprocesses={plan.processes}"]
    options += [f"--dist={plan.dealt}"] if plan.processes else []
    with redirect_stdout(printed):
        status = pytest.main([*options, str(tests / name)], plugins=[told])
    if screen.isatty():
        print(end="\r", file=screen)
    if status not in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
        shown = printed.getvalue()
        print(shown[max(shown.find("\n==="), 0) :], file=screen)
        told.counts["failed"] = max(told.counts["failed"], 1)
        status = run_again(told, status)
    if status == pytest.ExitCode.NO_TESTS_COLLECTED:
        print(f"{name}: there is no test in {tests / name}", file=screen)
    took = f"{time.monotonic() - begun:.0f} s, {plan.processes} processes"
    print(f"{name:<12}{counted(told.counts)} ({took})", file=screen)
    for why, count in told.reasons.items():
        print(f"{'':<12}{count} skipped: {why}", file=screen, flush=True)
    return told, status == pytest.ExitCode.OK


def run_again(told: Told, status: int) -> int:
    """The status after what failed has been run once more, as far as that is asked for."""
    uncollected = told.counts["failed"] > len(told.failed)
    if uncollected or len(told.failed) > int(os.environ.get("PLUMBLINE_TEST_AGAIN", "0")):
        return status
    for test in list(told.failed):
        alone = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", test]
        ended = subprocess.run(alone, capture_output=True, check=False, text=True)
        if ended.returncode != pytest.ExitCode.OK:
            print(f"failed once more, alone: {test}\n{ended.stdout}", file=told.screen)
            continue
        print(f"unsteady: failed, and passed once more, alone: {test}", file=told.screen)
        told.failed.remove(test)
    told.counts["passed"] += told.counts["failed"] - len(told.failed)
    told.counts["failed"] = len(told.failed)
    return status if told.failed else pytest.ExitCode.OK


def counted(counts: Counter[str]) -> str:
    """Such as `5 passed, 1 failed, 0 skipped`."""
    return ", ".join(f"{counts[kind]} {kind}" for kind in ("passed", "failed", "skipped"))


def show_slowest(groups: list[Told], screen: TextIO) -> None:
    """A line for each of the slowest tests."""
    print(f"\nThe slowest {SLOWEST}, and their fixtures' part:", file=screen)
    all_of_them = ((took, test, group) for group in groups for test, took in group.seconds.items())
    for took, test, group in nlargest(SLOWEST, all_of_them, key=itemgetter(0)):
        print(f"{took:6.1f} s {group.fixtures[test]:6.1f} s  {test}", file=screen)


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
    screen = sys.stdout
    plans = {name: plan for name, plan in GROUPS.items() if name in (chosen.groups or GROUPS)}
    if chosen.processes is not None:
        plans = {name: plan._replace(processes=chosen.processes) for name, plan in plans.items()}
    ended = [run_group(name, plan, chosen.tests, screen) for name, plan in plans.items()]
    show_slowest([told for told, _ in ended], screen)
    total = sum((told.counts for told, _ in ended), Counter[str]())
    print(f"\n{counted(total)}", file=screen)
    return 0 if all(well for _, well in ended) else 1


if __name__ == "__main__":
    sys.exit(main())
