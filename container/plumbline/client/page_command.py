"""`plumbline page`: the page of a server, for a SageMaker endpoint."""

from __future__ import annotations

import click

from plumbline.browser_page import about
from plumbline.client import endpoint as endpoints
from plumbline.client.base import NoAnswer, NotReached
from plumbline.client.endpoint import Endpoint, refused
from plumbline.web.endpoint_page import Ask, Elsewhere, server_for

AT_ONCE = 8
"""Connections to SageMaker: more tabs than that wait."""

UNREACHED = 502
"""The status for an endpoint that can't be asked."""


@click.command()
@click.option("--endpoint", required=True, metavar="NAME", help="A SageMaker endpoint's.")
@click.option("--region", help="Its AWS region.  [default: that of your AWS setup]")
@click.option("--variant", help="Its production variant to ask.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8081,
    show_default=True,
    help="Where to listen, on this machine alone; 0 takes any that is free.",
)
def page(endpoint: str, region: str | None, variant: str | None, port: int) -> None:
    """Show the page of `plumbline serve` for an endpoint, on this machine.

    Every picture that is put on the page is a request to the endpoint, asked with your AWS
    credentials. Only this machine can open the page. Ctrl-C ends it.

    \b
    plumbline page --endpoint cats --region eu-central-1
    """  # noqa: D301 - \b keeps click from rewrapping
    client = endpoints.connect(endpoint, region, variant, AT_ONCE)
    told = about.of_endpoint(endpoint, client.region, variant, client.most_bytes)
    server = server_for(Elsewhere(asking(client), told, client.most_bytes), port)
    click.echo(f"The page for the endpoint {endpoint}: http://localhost:{server.port}/")
    click.echo("Ctrl-C ends it.", err=True)
    server.serve_forever()


def asking(client: Endpoint) -> Ask:
    """How the page asks the endpoint; what can't be asked is told as an error."""

    def ask(body: bytes, content_type: str, accept: str, attributes: str) -> tuple[int, str, bytes]:
        try:
            answer = client.invoke(body, content_type, accept, attributes)
        except (NotReached, NoAnswer) as exc:
            answer = refused(UNREACHED, exc.code, exc.message)
        return answer.status, answer.content_type, answer.body

    return ask
