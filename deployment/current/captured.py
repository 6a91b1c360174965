"""The captured requests of an endpoint in S3: PREFIX/ENDPOINT/VARIANT/YYYY/MM/DD/HH/….jsonl."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from deployment.aws import s3
from deployment.aws.client import Aws
from deployment.plan.calls import Call

ENDING = ".jsonl"


@dataclass(frozen=True)
class CapturedFile:
    """One of the files, and its size in bytes."""

    bucket: str
    key: str
    size: int


def listing(url: str, endpoint: str, variant: str, since: datetime) -> Call:
    """The call that lists the files of a variant from an hour on."""
    bucket, prefix = s3.place(url)
    folder = "".join(f"{part}/" for part in (prefix.strip("/"), endpoint, variant) if part)
    start = f"{folder}{since:%Y/%m/%d/%H}/"
    return Call("s3", "ListObjectsV2", {"Bucket": bucket, "Prefix": folder, "StartAfter": start})


def files(aws: Aws, asked: Call) -> list[CapturedFile]:
    """The files that a listing finds, the newest first."""
    found = [
        CapturedFile(asked.parameters["Bucket"], each["Key"], each["Size"])
        for each in aws.pages(asked, "Contents")
        if each["Key"].endswith(ENDING)
    ]
    return found[::-1]


def within(found: Iterable[CapturedFile], most: int) -> list[CapturedFile]:
    """The first of them that have no more bytes together than this, one at least."""
    kept, size = list[CapturedFile](), 0
    for each in found:
        size += each.size
        if kept and size > most:
            break
        kept.append(each)
    return kept


def fetch(aws: Aws, found: Iterable[CapturedFile], folder: Path) -> None:
    """Fetch files into a folder, in which they lie as they do in S3; several at a time."""

    def one(each: CapturedFile) -> None:
        # Keys may hold anything; the hour, which the report sorts by, is numbers.
        hour = [part for part in each.key.split("/")[:-1] if part.isdigit()][-4:]
        file = folder.joinpath(*hour, Path(each.key).name)
        file.parent.mkdir(parents=True, exist_ok=True)
        s3.download(aws, f"s3://{each.bucket}/{each.key}", file)

    with ThreadPoolExecutor(s3.AT_A_TIME) as workers:
        list(workers.map(one, found))
