"""The plumb line, end to end: golden pictures, through the endpoint, come out as expected."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from deployment import names
from deployment.aws import predictor, s3
from deployment.aws.client import Aws
from deployment.aws.predictor import Endpoint
from deployment.current import packages
from deployment.errors import AnsweredWrong, Refused
from deployment.plan.order import Archive, Order
from deployment.plan.requests import Asked
from deployment.proof import inspection
from deployment.proof.inspection import Inspected
from deployment.terminal.progress import say

ATTRIBUTES = "format=raw"
"""The model's own outputs, which golden pictures are compared by."""

FORMS = (("application/x-npy", ".npy"), ("application/json", ".json"))
"""Arrays are exact and small; a model of several outputs answers in JSON alone."""

BUSY = "answered 503"

ATTEMPTS = 10

PAUSE = 3.0
"""Seconds after which a busy endpoint is asked again."""


def check(endpoint: Endpoint, inspected: Inspected, wanted: Asked) -> None:
    """Ask for each golden picture and compare. Raises `AnsweredWrong`."""
    pictures = inspection.golden_pictures(inspected)
    if not pictures:
        say("The archive has no golden pictures: whether the answers are right is not known.")
        return
    by = wanted.variant or wanted.component or wanted.model
    say(f"Sending {len(pictures)} golden pictures through {endpoint.name}/{by} …")
    with tempfile.TemporaryDirectory(prefix="plumbline-golden-") as folder:
        for name, picture in pictures.items():
            suffix, body = answer(endpoint, name, picture, wanted)
            (Path(folder) / f"{name}{suffix}").write_bytes(body)
        count = inspection.compare(inspected.file, Path(folder))
    say(f"{count} golden pictures came out right through the endpoint.")


def answer(endpoint: Endpoint, name: str, picture: bytes, wanted: Asked) -> tuple[str, bytes]:
    """The answer to one picture, and the suffix of its form."""
    said = ""
    for accept, suffix in FORMS:
        try:
            asked = replace(wanted, accept=accept, attributes=ATTRIBUTES)
            return suffix, patiently(endpoint, picture, asked)
        except Refused as exc:
            if exc.code != "ModelError" or BUSY in str(exc):
                raise  # says nothing of the model
            said = str(exc)
            if "not_acceptable" not in said:
                break
    raise AnsweredWrong(f"The endpoint refuses the golden picture {name}: {said}")


def patiently(endpoint: Endpoint, picture: bytes, asked: Asked) -> bytes:
    """The answer, also of an endpoint that others keep busy."""
    for _ in range(ATTEMPTS - 1):
        try:
            return endpoint.ask(picture, asked)
        except Refused as exc:
            if BUSY not in str(exc):
                raise
        time.sleep(PAUSE)
    return endpoint.ask(picture, asked)


@contextmanager
def inspected(aws: Aws, order: Order, *, skip: bool) -> Iterator[Mapping[str, Inspected]]:
    """What is in each variant's archive, by the variant's name. Raises `Misuse`."""
    if skip or order.multi:
        yield {}
        return
    with tempfile.TemporaryDirectory(prefix="plumbline-archive-") as folder:
        files = {each.name: local(aws, each.archive, Path(folder)) for each in order.all_variants}
        known = {file: inspection.inspect(file) for file in set(files.values())}
        for file, found in known.items():
            if not found.goldens:
                say(
                    f"{file} has no golden pictures: the endpoint's answers won't be checked. "
                    "plumbline pack --golden puts some in."
                )
        yield {name: known[file] for name, file in files.items()}


def local(aws: Aws, wanted: Archive, folder: Path) -> Path:
    """The archive as a file of this machine: one that lies in S3 is fetched to be looked at."""
    if wanted.file:
        return wanted.file
    url = wanted.url or packages.archive(aws, wanted.package)
    file = folder / f"{names.fingerprint({'url': url})}.tar.gz"
    say(f"Fetching {url} to look into it …")
    if url.endswith("/"):
        s3.download_folder(aws, url, file)
    else:
        s3.download(aws, url, file)
    return file


def prove(aws: Aws, order: Order, found: Mapping[str, Inspected]) -> None:
    """The golden pictures of each variant, through the endpoint. Raises `AnsweredWrong`."""
    if not found:
        return
    endpoint = predictor.endpoint(aws, order.name, say)
    if endpoint.answers_to and len(order.variants) > 1:
        say("An async endpoint does not let one choose a variant; its answers were not checked.")
        return
    for variant in order.variants:
        by = (
            Asked(component=endpoint.component)
            if endpoint.component
            else Asked(variant=variant.name)
        )
        check(endpoint, found[variant.name], by)
