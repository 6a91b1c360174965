"""Results → the table, the plot, and docs/performance.md.

    python benchmarks/report.py build/bench/results.json

writes `table.md` and `plot.svg` beside the results; with `--page`, docs/performance.md too.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import plot
from summary import CROWD, TARGETS, Results, against_peers, median

HERE = Path(__file__).parent
TEMPLATE = HERE / "performance.in.md"
PAGE = HERE.parent / "docs" / "performance.md"

Said = Mapping[str, Any]
"""The whole of results.json."""


def read(said: Said) -> Results:
    """What was measured."""
    peers = {name: each["peer"] for name, each in said["contenders"].items()}
    return Results(said["runs"], peers)


def shown(value: float | None, form: str = ".0f", times: float = 1.0) -> str:
    """A number, or a dash where there is none."""
    return "–" if value is None else format(value * times, form)


def row(cells: Iterable[str]) -> str:
    """A line of a Markdown table."""
    return f"| {' | '.join(cells)} |"


def head(*cells: str) -> list[str]:
    """The first two lines of a Markdown table."""
    return [row(cells), "|" + "---|" * len(cells)]


def connections(said: Said) -> list[int]:
    """Those that were measured, of the models' own pictures."""
    return [int(count) for count in said["plan"]["connections"]]


def contender_row(said: Said, results: Results, name: str, model: str) -> str:
    """A contender's line in a model's table, or why there are no figures."""
    title = titled(said, results, name, model)
    reason = results.reason(name, model)
    if reason:
        return row([title, f"not measured: {reason.replace('|', '/')}"])
    rates = [shown(results.load("rate", name, model, count)) for count in connections(said)]
    lone = shown(results.load("p50", name, model, 1), ".1f")
    crowd = [shown(results.load(part, name, model, CROWD)) for part in ("p50", "p90", "p99")]
    counted = [results.load("errors", name, model, count) for count in connections(said)]
    rest = [
        shown(sum(value for value in counted if value is not None)),
        shown(results.load("cpu", name, model, CROWD), ".1f", 1000),
        shown(results.figure("memory", name, model), ".0f", 1e-6),
        shown(results.figure("first_answer", name, model), ".2f"),
        shown(against_peers(results, name, model), ".2f"),
    ]
    return row([title, *rates, lone, *crowd, *rest])


def titled(said: Said, results: Results, name: str, model: str) -> str:
    """A contender's title, with the form of the model that it chose."""
    forms = dict.fromkeys(run.get("form", "") for run in results.of(name, model))
    named = ", ".join(form for form in forms if form)
    title = str(said["contenders"][name]["title"])
    return f"{title} ({named})" if named else title


def model_table(said: Said, results: Results, model: str) -> Iterator[str]:
    """All contenders with one model, with the picture that it is for."""
    rates = [f"req/s, {count}" for count in connections(said)]
    latencies = ("p50 ms, 1", *(f"{part} ms, {CROWD}" for part in ("p50", "p90", "p99")))
    rest = ("errors", "CPU ms/answer", "memory, MB", "start, s", "× best peer")
    yield from head("server", *rates, *latencies, *rest)
    for name in said["contenders"]:
        yield contender_row(said, results, name, model)
    yield from limit_rows(said, results, model)


def limit_rows(said: Said, results: Results, model: str) -> Iterator[str]:
    """The bare loops: alone, and with as many threads as are best."""
    for name, title in said["limits"].items():
        rates = results.limit(name, model)
        if not rates:
            yield row([title, f"not measured: {results.limit_reason(name) or 'not asked for'}"])
            continue
        best = max(rates, key=lambda threads: rates[threads])
        cells = [shown(rates[1]) if count == 1 else "" for count in connections(said)]
        cells[-1] = f"at best {rates[best]:.0f} ({best} threads)"
        yield row([title, *cells])


def picture_table(said: Said, results: Results, model: str) -> Iterator[str]:
    """The pictures that a model is not for, where they were measured."""
    loads = [load for run in results.runs if run["model"] == model for load in run.get("loads", ())]
    own = loads[0]["picture"] if loads else ""
    cases = list(
        dict.fromkeys(
            (load["picture"], load["connections"]) for load in loads if load["picture"] != own
        )
    )
    if not cases:
        return
    yield ""
    yield from head("server, req/s", *(f"{picture}, {count}" for picture, count in cases))
    for name, each in said["contenders"].items():
        rates = [
            shown(results.load("rate", name, model, count, picture)) for picture, count in cases
        ]
        yield row([each["title"], *rates])


def stages(said: Said, results: Results) -> Iterator[str]:
    """Where the time of a request goes, for those whose log says it; waiting is left out."""
    names = [name for name, each in said["contenders"].items() if not each["peer"]]
    order = ("decode", "preprocess", "infer", "encode", "other")
    yield from head("server, model", *order)
    for name in names:
        for model in results.models:
            shares = stage_shares([run["stages"] for run in results.of(name, model)])
            if shares:
                title = f"{said['contenders'][name]['title']}, {said['models'][model]}"
                yield row([title, *(shown(shares.get(stage), ".1%") for stage in order)])


def stage_shares(runs: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Each stage's share of the time that was not spent waiting, the median over the runs."""
    shares: dict[str, list[float]] = {}
    for spent in runs:
        worked = spent.get("total", 0.0) - spent.get("wait", 0.0)
        if worked <= 0:
            continue
        named = {stage: each for stage, each in spent.items() if stage not in ("total", "wait")}
        named["other"] = worked - sum(named.values())
        for stage, each in named.items():
            shares.setdefault(stage, []).append(each / worked)
    return {stage: median(values) or 0.0 for stage, values in shares.items()}


def targets(results: Results) -> Iterator[str]:
    """What was to be reached, and what was."""
    yield from head("what", "target", "measured", "")
    for target in TARGETS:
        value, verdict = target.verdict(results)
        sign = "≥" if target.at_least else "≤"
        yield row([target.text, f"{sign} {target.bound:g}", shown(value, ".2f"), verdict])


def client(results: Results) -> str:
    """The most of a core that the client took in any load."""
    loads = [load for run in results.runs for load in run.get("loads", ())]
    return f"{max((load['client'] for load in loads), default=0.0):.1%}"


def tables(said: Said) -> Iterator[str]:
    """A table for each model."""
    results = read(said)
    for model in results.models:
        yield from ("", f"### {said['models'][model]}", "")
        yield from model_table(said, results, model)
        yield from picture_table(said, results, model)


def panels(said: Said) -> dict[str, dict[str, list[plot.Point]]]:
    """What is drawn."""
    results = read(said)
    return {
        said["models"][model]: {
            each["title"]: list(curve(said, results, name, model))
            for name, each in said["contenders"].items()
        }
        for model in results.models
    }


def curve(said: Said, results: Results, name: str, model: str) -> Iterator[plot.Point]:
    """A contender's latency and rate, from few connections to many."""
    for count in connections(said):
        latency = results.load("p50", name, model, count)
        rate = results.load("rate", name, model, count)
        if latency and rate:
            yield latency, rate


def servers(said: Said) -> Iterator[str]:
    """How each was set up."""
    yield from head("server", "version", "how")
    for each in said["contenders"].values():
        yield row([each["title"], each["version"], each["how"]])


def page(said: Said) -> str:
    """`performance.in.md` with its blanks filled in."""
    results, plan = read(said), said["plan"]
    blanks: dict[str, Iterable[str]] = {
        "machine": [said["machine"]],
        "rounds": [str(plan["rounds"])],
        "seconds": [str(plan["seconds"])],
        "client": [client(results)],
        "servers": servers(said),
        "targets": targets(results),
        "tables": tables(said),
        "stages": stages(said, results),
    }
    text = TEMPLATE.read_text("utf-8")
    for name, lines in blanks.items():
        text = text.replace(f"<{name}>", "\n".join(lines).strip())
    return text


def write(said: Said, out: Path) -> None:
    """The table and the plot, beside the results."""
    results = read(said)
    parts = [*targets(results), *tables(said), "", "### Stages", "", *stages(said, results), ""]
    parts.append(f"wrk took at most {client(results)} of a core. {said['machine']}.")
    (out / "table.md").write_text("\n".join(parts) + "\n", "utf-8")
    (out / "plot.svg").write_text(plot.draw(panels(said)), "utf-8")


def main(arguments: list[str]) -> None:
    """See the top of this file."""
    file = Path(arguments[0])
    said = json.loads(file.read_text("utf-8"))
    write(said, file.parent)
    if "--page" in arguments:
        PAGE.write_text(page(said), "utf-8")
        (PAGE.parent / "images" / "performance.svg").write_text(plot.draw(panels(said)), "utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
