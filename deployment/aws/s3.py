"""Archives to S3 and back; half an upload leaves nothing there."""

from __future__ import annotations

import tarfile
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from boto3.exceptions import S3UploadFailedError
from boto3.s3.transfer import TransferConfig
from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from deployment.aws.client import Aws
from deployment.aws.refusals import is_missing, refusal, unreached
from deployment.errors import Misuse
from deployment.plan.calls import Call, Upload, UploadFolder

AT_A_TIME = 8
"""Small files take longer to be asked for than to be sent."""

ONE_BY_ONE = TransferConfig(use_threads=False)
"""For the parts of each of several files: boto3 keeps ten connections."""

PLACE = ("Bucket", "Key")
"""What is said of an object apart from how it is stored."""


def place(url: str) -> tuple[str, str]:
    """The bucket and the key of s3://BUCKET/KEY."""
    bucket, _, key = url.removeprefix("s3://").partition("/")
    return bucket, key


def upload(aws: Aws, step: Upload, say: Callable[[str], None]) -> None:
    """Upload the file of a step; large ones in parts, several at a time, and with a bar."""
    size = step.file.stat().st_size
    say(f"Uploading the {step.what}, {size:,} bytes …")
    with progress(size) as advance:
        send(aws, step.call, step.file, advance, TransferConfig())


def missing(aws: Aws, step: UploadFolder) -> dict[str, Path]:
    """The files of a step whose objects are not there."""
    there = {each["Key"]: each["Size"] for each in aws.pages(step.look.call, "Contents")}
    return {key: file for key, file in step.files.items() if there.get(key) != file.stat().st_size}


def upload_all(aws: Aws, step: UploadFolder, files: Mapping[str, Path]) -> None:
    """Upload these files of a step, several at a time, and with a bar."""
    total = sum(file.stat().st_size for file in files.values())
    workers = ThreadPoolExecutor(AT_A_TIME)
    with progress(total) as advance:
        try:
            begun = [
                workers.submit(send, aws, step.one(key), file, advance, ONE_BY_ONE)
                for key, file in files.items()
            ]
            for each in begun:
                each.result()
        finally:
            workers.shutdown(cancel_futures=True)


def send(
    aws: Aws, call: Call, file: Path, advance: Callable[[int], None], how: TransferConfig
) -> None:
    """One file, by what PutObject would be told; large ones in parts. Raises `DeploymentError`."""
    parameters = call.parameters
    extra = {key: value for key, value in parameters.items() if key not in PLACE}
    try:
        aws.client("s3").upload_file(
            str(file),
            parameters["Bucket"],
            parameters["Key"],
            ExtraArgs=extra,
            Callback=advance,
            Config=how,
        )
    except S3UploadFailedError as exc:
        if isinstance(exc.__context__, ClientError):
            raise refusal(exc.__context__, call, aws.region) from exc
        raise unreached(exc) from exc
    except ClientError as exc:
        raise refusal(exc, call, aws.region) from exc
    except (BotoCoreError, OSError) as exc:
        raise unreached(exc) from exc


def download(aws: Aws, url: str, file: Path) -> None:
    """Fetch an object into a file. Raises `Misuse` where there is none."""
    bucket, key = place(url)
    try:
        aws.client("s3").download_file(bucket, key, str(file))
    except ClientError as exc:
        if is_missing(exc):
            raise Misuse(
                f"There is no object {url}. `aws s3 ls s3://{bucket}/` shows what is there."
            ) from exc
        call = Call("s3", "GetObject", {"Bucket": bucket, "Key": key})
        raise refusal(exc, call, aws.region) from exc
    except (BotoCoreError, OSError) as exc:
        raise unreached(exc) from exc


def download_folder(aws: Aws, url: str, file: Path) -> None:
    """Fetch what lies under a prefix into a tar. Raises `Misuse` where there is nothing."""
    bucket, prefix = place(url)
    asked = Call("s3", "ListObjectsV2", {"Bucket": bucket, "Prefix": prefix})
    keys = [each["Key"] for each in aws.pages(asked, "Contents") if not each["Key"].endswith("/")]
    if not keys:
        raise Misuse(f"There is nothing under {url}. `aws s3 ls {url}` shows what is there.")
    part = file.with_suffix(".part")
    with tarfile.open(file, "w:gz", compresslevel=1) as tar:
        for key in keys:
            download(aws, f"s3://{bucket}/{key}", part)
            tar.add(part, key.removeprefix(prefix), recursive=False)
            part.unlink()


@contextmanager
def progress(size: int) -> Iterator[Callable[[int], None]]:
    """A bar on a terminal, nothing elsewhere; called with the bytes that have gone."""
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        task = bar.add_task("uploading", total=size)
        yield lambda count: bar.update(task, advance=count)
