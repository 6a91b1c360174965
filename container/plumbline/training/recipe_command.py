"""`plumbline recipe`: what would train on some channels, and whether it takes what is set."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from plumbline.training import hyperparameters, recipes
from plumbline.training.commands import pair
from plumbline.training.hyperparameters import Table
from plumbline.training.job import Channel, Job
from plumbline.training.recipe_process import RECIPES
from plumbline.training.recipes import Recipe

FOREIGN = "s3://"
"""How the data of a channel begins that is not here, and can't be looked at."""


@click.command()
@click.option(
    "--channel", "channels", multiple=True, metavar="NAME=DIR", help="A channel, or s3://…."
)
@click.option("--set", "given", multiple=True, metavar="NAME=VALUE", help="A hyperparameter.")
@click.option("--try", "tried", multiple=True, metavar="NAME=VALUE", help="One of several values.")
@click.option("--json", "as_json", is_flag=True, help="For scripts: one JSON object.")
def recipe(
    channels: tuple[str, ...], given: tuple[str, ...], tried: tuple[str, ...], as_json: bool
) -> None:
    """Say which recipe trains on these channels, and check hyperparameters and layouts.

    Nothing is trained, and no picture decoded. The exit status is 1 for what a job would refuse,
    with the reason; data in S3 is not looked at.

    \b
    plumbline recipe --channel training=photos/ --set epochs=20 --set optimizer=adam
    """  # noqa: D301 - \b keeps click from rewrapping
    found = document(
        dict(map(pair, channels)), dict(map(pair, given)), [pair(each) for each in tried]
    )
    if as_json:
        click.echo(json.dumps(found, indent=2, ensure_ascii=False))
        return
    click.echo(f"recipe: {found['recipe']}")
    for key in ("channels", "metrics", "hyperparameters"):
        click.echo(f"{key}:")
        for name, value in found[key].items():
            click.echo(f"  {name}: {value}")
    for warning in found["warnings"]:
        click.echo(f"Warning: {warning}")


def document(
    channels: Mapping[str, str], given: Mapping[str, str], tried: list[tuple[str, str]]
) -> dict[str, Any]:
    """All that is known of a job before it begins. Raises `TrainingError`."""
    job = Job(
        given=given, channels={name: Channel(name, Path(at)) for name, at in channels.items()}
    )
    chosen = recipes.choose(job, RECIPES)
    values = hyperparameters.read(chosen.table, job.hyperparameters)
    return {
        "recipe": chosen.name,
        "channels": layouts(chosen, job, channels),
        "metrics": dict(chosen.metrics),
        "hyperparameters": job.hyperparameters,
        "epochs": values.chosen.get("epochs"),
        "tried": kinds(chosen.table, tried),
        "warnings": list(values.warnings),
    }


def layouts(chosen: Recipe, job: Job, channels: Mapping[str, str]) -> dict[str, str]:
    """What the channels hold that are here."""
    if any(at.startswith(FOREIGN) for at in channels.values()):
        return {}
    return dict(chosen.layouts(job))


def kinds(table: Table, tried: list[tuple[str, str]]) -> dict[str, dict[str, str]]:
    """The type of each value, by its hyperparameter. Raises `HyperparameterError`."""
    names = {alias: name for name, entry in table.items() for alias in (name, *entry.aliases)}
    found: dict[str, dict[str, str]] = {}
    for key, text in tried:
        entry = table[hyperparameters.known(key, names)]
        value = hyperparameters.value_of(key, text, entry)
        found.setdefault(key, {})[text] = type(value).__name__
    return found
