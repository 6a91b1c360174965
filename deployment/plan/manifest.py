"""An augmented manifest: a line of JSON for each picture, as SageMaker Ground Truth writes it."""

from __future__ import annotations

import json
from collections.abc import Collection
from itertools import takewhile
from pathlib import PurePosixPath

from deployment.errors import Misuse

ENDINGS = (".manifest", ".jsonl")
"""How such files are called."""

SOURCE = "source-ref"


def sources(text: str, name: str) -> dict[str, str]:
    """The address of each picture, and where it is named. Raises `Misuse` with the line."""
    found: dict[str, str] = {}
    for number, row in enumerate(text.splitlines(), 1):
        if not row.strip():
            continue
        where = f"{name}, line {number}"
        try:
            line = json.loads(row)
        except ValueError as exc:
            raise Misuse(f"{where} is not JSON: {exc}.") from exc
        if not isinstance(line, dict) or not isinstance(line.get(SOURCE), str):
            raise Misuse(f"{where} has no {SOURCE!r}, the address of its picture.")
        found.setdefault(line[SOURCE], where)
    if not found:
        raise Misuse(f"{name} has no lines.")
    return found


def common_folder(urls: Collection[str], name: str) -> str:
    """The deepest folder in S3 that holds all of these. Raises `Misuse` for several buckets."""
    strangers = [url for url in urls if not url.startswith("s3://")]
    if strangers:
        raise Misuse(
            f"{name} names the picture {strangers[0]}, which is neither beside it nor in S3: put "
            "the pictures beside the manifest, or upload them and name them by s3://…."
        )
    folders = [PurePosixPath(url.removeprefix("s3://")).parent.parts for url in urls]
    if len({parts[0] for parts in folders}) > 1:
        raise Misuse(
            f"{name} names pictures in several buckets; a job reads them from one: copy them into "
            "one bucket first."
        )
    shared = takewhile(lambda parts: len({*parts}) == 1, zip(*folders, strict=False))
    return f"s3://{'/'.join(parts[0] for parts in shared)}/"
