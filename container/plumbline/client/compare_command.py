"""`plumbline compare`: golden pictures that were answered elsewhere, beside what is expected."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from plumbline.archive.tarball import unpacked
from plumbline.machine.quiet import muted
from plumbline.settings import environment


@click.command()
@click.argument("model", type=click.Path(exists=True, path_type=Path))
@click.argument("answers", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="For scripts: one JSON object.")
def compare(model: Path, answers: Path, as_json: bool) -> None:
    """Compare ANSWERS with the golden outputs of MODEL.

    ANSWERS is a folder in which the answer to golden/cat.jpg lies as cat.jpg.npy or cat.jpg.json.
    Whoever answered must have been asked with format=raw. No model is computed here. The exit
    status is 1 if an answer differs by more than the archive allows.

    \b
    curl --data-binary @golden/cat.jpg -H 'Accept: application/x-npy' \\
         -H 'X-Amzn-SageMaker-Custom-Attributes: format=raw' \\
         localhost:8080/invocations > answers/cat.jpg.npy
    plumbline compare model.tar.gz answers/
    """  # noqa: D301 - \b keeps click from rewrapping
    environment.quiet_frameworks()
    from plumbline.client.compare import compared
    from plumbline.loading import inspection

    with unpacked(model) as folder, muted():
        allowed = environment.from_environment().allow_ops
        found = compared(inspection.inspect(folder, allowed), answers)
    if as_json:
        click.echo(json.dumps(found.document(), indent=2, ensure_ascii=False))
    else:
        for name, difference in found.found.items():
            click.echo(f"{name}: {difference.reason}")
        click.echo(found.wrong or f"All are within {found.tolerance:g}.")
    if found.wrong:
        sys.exit(1)
