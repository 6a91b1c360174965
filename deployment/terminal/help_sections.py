"""The help of a command of many options, in sections."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from deployment.terminal.options import DETAILS, KINDS, WHAT
from deployment.terminal.scaling_options import SCALING

SECTIONS: Mapping[str, tuple[Any, ...]] = {
    "What is deployed": WHAT,
    "What it runs on": KINDS,
    "Scaling": SCALING,
    "Settings, network, encryption and data capture": DETAILS,
}

REST = "This command"
"""The section of the options that are in none of these."""


class Sectioned(click.Command):
    """A command whose help shows its options by what they are for."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the sections."""
        place = {name: title for title, group in SECTIONS.items() for name in names(group)}
        rows: dict[str, list[tuple[str, str]]] = {title: [] for title in (*SECTIONS, REST)}
        for option in self.get_params(ctx):
            record = option.get_help_record(ctx)
            if record and not isinstance(option, click.Argument):
                rows[place.get(str(option.name), REST)].append(record)
        for title, records in rows.items():
            if records:
                with formatter.section(title):
                    formatter.write_dl(records)


def names(group: tuple[Any, ...]) -> list[str]:
    """What the options of a group are called in Python."""

    def bearer() -> None:
        """Bear the options."""

    for option in group:
        option(bearer)
    return [option.name for option in vars(bearer)["__click_params__"]]
