"""`deploy.py list`: the endpoints that deploy.py has made."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import click

from deployment.aws.client import Aws
from deployment.current.inventory import is_ours
from deployment.plan.calls import Call, plain
from deployment.terminal.dry_run import show_calls
from deployment.terminal.options import DRY_RUN, WHERE, connect, options
from deployment.terminal.progress import say

ALL = Call("sagemaker", "ListEndpoints", {"SortBy": "Name", "SortOrder": "Ascending"})


@click.command("list")
@click.option("--json", "as_json", is_flag=True, help="For scripts: a line of JSON each.")
@options(DRY_RUN, WHERE)
def list_endpoints(as_json: bool, **asked: Any) -> None:
    """List the endpoints of this region that deploy.py has made.

    Each costs money until `python deploy.py down NAME`; one in another region is listed only with
    --region.

    \b
    python deploy.py list
    """  # noqa: D301 - \b keeps click from rewrapping
    aws = connect(asked)
    if asked["dry_run"]:
        show_calls("", aws.region, [ALL])
        return
    found = list(ours(aws))
    for each in found:
        since = f"{each['CreationTime']:%Y-%m-%d %H:%M}"
        line = f"{each['EndpointName']}: {each['EndpointStatus']}, made {since}"
        click.echo(json.dumps(plain(each)) if as_json else line)
    if not found:
        say(f"deploy.py has made no endpoint in {aws.region}, or none is left.")


def ours(aws: Aws) -> Iterator[dict[str, Any]]:
    """The endpoints that carry the tag of a deployment."""
    for each in aws.pages(ALL, "Endpoints"):
        if is_ours(aws, each["EndpointArn"], each["EndpointName"]):
            yield each
