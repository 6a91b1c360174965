"""What a search found, for people: the table to paste, what else comes near, and doubts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from rich.box import SIMPLE
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from plumbline.machine.program_name import as_called
from plumbline.packing.find_preprocess import Answer
from plumbline.packing.preprocess_options import table
from plumbline.packing.preprocess_trials import Declaration, Trial
from plumbline.settings import environment
from plumbline.spec.toml_writer import toml_table, toml_value

MOST_SHOWN = 8

MOST_VALUES = 4

ADVICE = {
    "decoder": "JPEG files",
    "fit": "pictures of other shapes than the model's input",
    "resize": "pictures with fine detail, larger than the model's input",
    "color": "pictures with strong colours",
    "exif": "pictures that lie on their side",
}
"""Which pictures would show a difference in a key."""


def show(console: Console, answer: Answer) -> None:
    """The ranking, the verdict, and the declaration."""
    console.print(ranking(answer))
    for line in verdict(answer):
        typed = as_called(line, environment.program())
        console.print(typed, highlight=False, markup=False, soft_wrap=True)
    console.print()
    console.print(declaration(answer), highlight=False, markup=False, soft_wrap=True)


def declaration(answer: Answer) -> str:
    """The best declaration as TOML, ready to paste."""
    best = answer.found.best.declaration
    text = toml_table("preprocess", written(best, answer))
    if answer.constants:
        text = f"{toml_table('model', {'constants': answer.constants})}\n\n{text}"
    if best.activation == "none":
        return text
    # Every task that has scores has this key under its own name.
    return f'{text}\n\n[classification]\nactivation = "{best.activation}"'


def written(declared: Declaration, answer: Answer) -> dict[str, Any]:
    """The `[preprocess]` table of a declaration, as TOML's values."""
    return table(replace(declared.preprocess, size=answer.size), answer.space)


def ranking(answer: Answer) -> Table:
    """The best few: what they say, and how far they are off."""
    found = answer.found
    shown = Table("", "declaration", box=SIMPLE)
    shown.add_column("largest difference", justify="right")
    shown.add_column("relative", justify="right")
    ranked = [found.best, *(trial for trial in found.ranked if trial is not found.best)]
    for number, trial in enumerate(ranked[:MOST_SHOWN], start=1):
        share = trial.largest / found.spread if found.spread else 0.0
        said = escape(changes(trial, answer) if number > 1 else brief(trial, answer))
        shown.add_row(str(number), said, f"{trial.largest:.3g}", f"{share:.2%}")
    return shown


def brief(trial: Trial, answer: Answer) -> str:
    """The values of a declaration in one line."""
    values = written(trial.declaration, answer)
    named = [str(values[key]) if key != "normalize" else toml_value(values[key]) for key in BRIEF]
    activation = trial.declaration.activation
    return ", ".join(named if activation == "none" else [*named, activation])


BRIEF = ("normalize", "color", "fit", "resize", "decoder")


def changes(trial: Trial, answer: Answer) -> str:
    """What a declaration says otherwise than the best."""
    best, own = written(answer.found.best.declaration, answer), written(trial.declaration, answer)
    said = [f"{key} = {toml_value(own[key])}" for key in own if own[key] != best[key]]
    if trial.declaration.activation != answer.found.best.declaration.activation:
        said.append(f'activation = "{trial.declaration.activation}"')
    return ", ".join(said)


def verdict(answer: Answer) -> Iterator[str]:
    """What can be said of the result, in sentences."""
    found = answer.found
    tried = f"{len(found.ranked):,} declarations were tried"
    if found.spread <= found.noise:
        yield (
            f"Nothing can be found: {tried}, and the outputs hardly depend on what the model is "
            f"fed; declarations differ by {found.spread:.3g}. Is this the trained model?"
        )
    elif not found.fits:
        yield (
            f"None fits: {tried}, and the nearest is off by {found.best.largest:.3g}, where "
            f"{found.limit:.3g} counts as reproduced. The table below is the nearest, and none to "
            "serve with. Check that "
            "the expected outputs are this model's, for these pictures, and raw (no labels, no "
            "rounding). Where your code prepares pictures in a way that can't be declared, a "
            "handler does it on the server, too: plumbline pack --code DIR (docs/handlers.md)."
        )
    elif len(found.equal) == 1:
        others = [trial for trial in found.ranked if trial is not found.best]
        nearest = f"; the next is off by {others[0].largest:.3g}" if others else ""
        yield f"Found: {tried}, one reproduces the outputs, to {found.best.largest:.3g}{nearest}."
    else:
        yield from equals(answer, tried)
    if not found.complete:
        missed = "all that is like it" if found.fits else "everything"
        yield f"The time was up before {missed} was tried; --seconds gives it more."


def equals(answer: Answer, tried: str) -> Iterator[str]:
    """Which keys can't be told on these pictures, and which pictures would tell."""
    found = answer.found
    tables = [written(trial.declaration, answer) for trial in found.equal]
    open_keys = [key for key in tables[0] if any(one[key] != tables[0][key] for one in tables)]
    yield (
        f"Found: {tried}, and {len(found.equal)} reproduce the outputs alike, to "
        f"{found.best.largest:.3g}. These pictures can't tell them apart:"
    )
    for key in open_keys:
        values = dict.fromkeys(toml_value(one[key]) for one in tables)
        more = f" (more pictures would tell: {ADVICE[key]})" if key in ADVICE else ""
        yield f"  {key} = {listed(list(values))}{more}"
    activations = dict.fromkeys(trial.declaration.activation for trial in found.equal)
    if len(activations) > 1:
        yield f"  activation = {' or '.join(activations)}"
    yield "The table below is the plainest of them."


def listed(values: list[str]) -> str:
    """The first few of the values."""
    more = len(values) - MOST_VALUES
    return " or ".join(values[:MOST_VALUES]) + (f" or {more} more" if more > 0 else "")
