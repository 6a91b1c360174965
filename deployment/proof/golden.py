"""The plumb line, end to end: golden pictures, through the endpoint, come out as expected."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from deployment.aws.predictor import Asked, Endpoint
from deployment.errors import AnsweredWrong, Refused
from deployment.proof import inspection
from deployment.proof.inspection import Inspected

ATTRIBUTES = "format=raw"
"""The model's own outputs, which golden pictures are compared by."""

FORMS = (("application/x-npy", ".npy"), ("application/json", ".json"))
"""Arrays are exact and small; a model of several outputs answers in JSON alone."""

BUSY = "answered 503"

ATTEMPTS = 10

PAUSE = 3.0
"""Seconds after which a busy endpoint is asked again."""


def check(
    endpoint: Endpoint, inspected: Inspected, variant: str, say: Callable[[str], None]
) -> None:
    """Ask for each golden picture and compare. Raises `AnsweredWrong`."""
    pictures = inspection.golden_pictures(inspected)
    if not pictures:
        say("The archive has no golden pictures: nobody can say whether the answers are right.")
        return
    say(f"Sending {len(pictures)} golden pictures through {endpoint.name}/{variant} …")
    with tempfile.TemporaryDirectory(prefix="plumbline-golden-") as folder:
        for name, picture in pictures.items():
            suffix, body = answer(endpoint, name, picture, variant)
            (Path(folder) / f"{name}{suffix}").write_bytes(body)
        count = inspection.compare(inspected.file, Path(folder))
    say(f"{count} golden pictures came out right through the endpoint.")


def answer(endpoint: Endpoint, name: str, picture: bytes, variant: str) -> tuple[str, bytes]:
    """The answer to one picture, and the suffix of its form."""
    said = ""
    for accept, suffix in FORMS:
        try:
            return suffix, patiently(endpoint, picture, Asked(accept, ATTRIBUTES, variant))
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


def variants_of(endpoint: Endpoint, wanted: tuple[str, ...]) -> Iterator[str]:
    """The variants to ask; an async endpoint does not let one choose."""
    yield from wanted[:1] if endpoint.answers_to else wanted
