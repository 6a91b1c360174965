"""Batch jobs that are at work, and the files that they read and have written."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from deployment import names
from deployment.aws.client import Aws
from deployment.aws.s3 import place
from deployment.errors import Misuse, Refused
from deployment.plan.batch import AT_WORK, MOST_MB, Job, look_at
from deployment.plan.calls import Call

MEGABYTE = 1024**2


def at_work(aws: Aws, name: str) -> list[Mapping[str, Any]]:
    """The jobs of a deployment that are at work, as SageMaker describes them."""
    found: list[Mapping[str, Any]] = []
    for state in AT_WORK:
        asked = {"NameContains": name, "StatusEquals": state}
        listed = aws.pages(Call("sagemaker", "ListTransformJobs", asked), "TransformJobSummaries")
        for each in listed:
            if names.is_timed(name, each["TransformJobName"]):
                found += filter(None, [aws.look(look_at(each["TransformJobName"]))])
    return found


def same(described: Mapping[str, Any], job: Job) -> bool:
    """Whether a job that is at work does just this."""
    source = described["TransformInput"]["DataSource"]["S3DataSource"]["S3Uri"]
    return bool((source, described["TransformOutput"]["S3OutputPath"]) == (job.source, job.target))


def inputs(aws: Aws, job: Job) -> dict[str, str]:
    """Where the answer to each file will lie below the target, and the file itself.

    Raises `Refused` where there is no file, `Misuse` for one that is too large.
    """
    bucket, prefix = place(job.source)
    base = prefix[: prefix.rfind("/") + 1]
    files = {
        each["Key"]: each["Size"]
        for each in objects(aws, bucket, prefix)
        if not each["Key"].endswith("/")  # what the console makes for a folder
    }
    if not files:
        raise Refused(f"There is nothing under {job.source}: nothing to answer.", "empty")
    largest = max(files, key=lambda key: files[key])
    if not job.lines and files[largest] > job.payload * MEGABYTE:
        raise Misuse(too_large(f"s3://{bucket}/{largest}", files[largest]))
    return {f"{key.removeprefix(base)}.out": f"s3://{bucket}/{key}" for key in files}


def too_large(url: str, size: int) -> str:
    """What to say of a file that would get no answer."""
    needed = min(MOST_MB, -(-size // MEGABYTE))
    return (
        f"{url} has {size / MEGABYTE:.1f} MB, and no file may be larger than --payload-mb: "
        f"--payload-mb {needed} --concurrency {max(1, MOST_MB // needed)}, say. SageMaker takes "
        f"{MOST_MB} MB at most."
    )


def outputs(aws: Aws, target: str, since: datetime) -> set[str]:
    """The answers that have come, by where they lie below the target."""
    bucket, prefix = place(f"{target.rstrip('/')}/")
    return {
        each["Key"].removeprefix(prefix)
        for each in objects(aws, bucket, prefix)
        if each["LastModified"] >= since.replace(microsecond=0)  # S3 counts whole seconds
    }


def objects(aws: Aws, bucket: str, prefix: str) -> Iterator[dict[str, Any]]:
    """What lies under a prefix."""
    asked = Call("s3", "ListObjectsV2", {"Bucket": bucket, "Prefix": prefix})
    yield from aws.pages(asked, "Contents")


def wrong_lines(aws: Aws, url: str) -> Iterator[str]:
    """The lines of an answer that are errors."""
    bucket, key = place(url)
    body = aws.ask(Call("s3", "GetObject", {"Bucket": bucket, "Key": key}))["Body"]
    for number, line in enumerate(body.iter_lines(), 1):
        if line.startswith(b'{"error"'):
            yield f"line {number}: {json.loads(line)['error'].get('message', line.decode())}"


def with_slash(aws: Aws, job: Job) -> str:
    """The source; a folder gets its slash, as S3 would also take what only begins like it."""
    bucket, prefix = place(job.source)
    asked = {"Bucket": bucket, "Prefix": f"{prefix.rstrip('/')}/", "MaxKeys": 1}
    folder = aws.ask(Call("s3", "ListObjectsV2", asked)).get("KeyCount", 0)
    return f"{job.source.rstrip('/')}/" if folder and prefix else job.source
