"""`deploy.py invoke`: pictures through an endpoint."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from deployment import names
from deployment.aws import predictor
from deployment.aws.client import Aws
from deployment.aws.predictor import Endpoint
from deployment.errors import Misuse, Refused
from deployment.plan.requests import Asked, invocation
from deployment.proof import inspection
from deployment.terminal.dry_run import show_calls
from deployment.terminal.options import DRY_RUN, NAME, WHERE, connect, options
from deployment.terminal.progress import say

PLAIN = Asked()

PICTURE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@options(NAME)
@click.argument("pictures", nargs=-1, required=True, type=PICTURE)
@click.option(
    "--out", type=click.Path(path_type=Path), help="Also draw: a .png, or a folder for several."
)
@click.option("--variant", help="The variant that is to answer.  [default: by their weights]")
@click.option("--model", help="Of a multi-model endpoint: the archive that is to answer.")
@click.option("--json", "as_json", is_flag=True, help="For scripts: a line of JSON each.")
@options(DRY_RUN, WHERE)
def invoke(
    name: str,
    pictures: tuple[Path, ...],
    out: Path | None,
    variant: str | None,
    model: str | None,
    as_json: bool,
    **asked: Any,
) -> None:
    """Send each PICTURE to the endpoint NAME, and show the prediction.

    For an asynchronous endpoint, the command waits. The exit status is 1 if a picture failed.

    \b
    python deploy.py invoke cats cat.jpg
    python deploy.py invoke cats cat.jpg --out annotated.png
    """  # noqa: D301 - \b keeps click from rewrapping
    aws = connect(asked)
    if asked["dry_run"]:
        wanted = Asked(variant=variant or "", model=names.archive_name(model))
        show_asking(aws, name, pictures, wanted)
        return
    endpoint = predictor.endpoint(aws, name, say)
    if endpoint.answers_to:
        refuse_choice(variant, as_json=as_json)
        sys.exit(ask_each(endpoint, pictures, out))
    if endpoint.component or model:
        wanted = Asked(component=endpoint.component, model=names.archive_name(model))
        sys.exit(ask_each(endpoint, pictures, out, wanted))
    arguments = predict_arguments(endpoint, pictures, out, variant, as_json)
    done = inspection.plumbline(*arguments, shown=True, profile=asked["profile"])
    sys.exit(done.returncode)


def show_asking(aws: Aws, name: str, pictures: tuple[Path, ...], wanted: Asked) -> None:
    """What would be asked, by the kind of the endpoint; one that is not there may be any."""
    try:
        endpoint = predictor.endpoint(aws, name)
    except Refused as exc:
        say(str(exc))
        endpoint = None
    if endpoint and endpoint.answers_to:
        refuse_choice(wanted.variant, as_json=False)
        pairs = [endpoint.async_calls(str(each), each.stat().st_size, wanted) for each in pictures]
        cost = (
            "Pictures and answers stay in S3: billed as storage, until "
            f"`python deploy.py down {name} --data`."
        )
        show_calls(name, aws.region, [call for pair in pairs for call in pair], cost)
        return
    if endpoint and endpoint.component:
        wanted = replace(wanted, variant="", component=endpoint.component)
    calls = [invocation(name, str(each), wanted) for each in pictures]
    show_calls(name, aws.region, calls)


def refuse_choice(variant: str | None, *, as_json: bool) -> None:
    """Raise `Misuse` for an option that an async endpoint would ignore."""
    if variant:
        raise Misuse("An async endpoint does not let one choose a variant: leave out --variant.")
    if as_json:
        raise Misuse("Every answer of an async endpoint is a line of JSON: leave out --json.")


def predict_arguments(
    endpoint: Endpoint,
    pictures: tuple[Path, ...],
    out: Path | None,
    variant: str | None,
    as_json: bool,
) -> Iterator[str]:
    """The same for `plumbline predict`, which shows answers well."""
    yield from ("predict", "--endpoint", endpoint.name, "--region", endpoint.aws.region)
    if out:
        yield from ("--out", str(out))
    if variant:
        yield from ("--variant", variant)
    if as_json:
        yield "--json"
    yield from ("--", *map(str, pictures))


def ask_each(
    endpoint: Endpoint, pictures: tuple[Path, ...], out: Path | None, wanted: Asked = PLAIN
) -> int:
    """Each answer as a line of JSON; 1 if a picture could not be answered, and 0."""
    if out and len(pictures) > 1:
        raise Misuse("--out of such an endpoint takes one picture; send them one by one.")
    status = 0
    for picture in pictures:
        if endpoint.answers_to:
            say(f"{picture}: waiting for the answer in {endpoint.answers_to} …")
        try:
            ask_for(endpoint, picture, out, wanted)
        except Refused as exc:
            if exc.code != "ModelError":
                raise
            say(f"{picture}: {exc}")
            status = 1
    return status


def ask_for(endpoint: Endpoint, picture: Path, out: Path | None, wanted: Asked) -> None:
    """One answer; the drawing, if one is wanted, is asked for by itself."""
    click.echo(endpoint.ask(picture.read_bytes(), wanted).decode())
    if out:
        drawn = replace(wanted, accept="image/png")
        out.write_bytes(endpoint.ask(picture.read_bytes(), drawn))
        say(f"drawn: {out}")
