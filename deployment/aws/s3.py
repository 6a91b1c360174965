"""Archives to S3 and back; half an upload leaves nothing there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from boto3.exceptions import S3UploadFailedError
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
from deployment.plan.calls import Call, Upload

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
    parameters = step.call.parameters
    extra = {key: value for key, value in parameters.items() if key not in PLACE}
    try:
        with progress(size) as advance:
            aws.client("s3").upload_file(
                str(step.file),
                parameters["Bucket"],
                parameters["Key"],
                ExtraArgs=extra,
                Callback=advance,
            )
    except S3UploadFailedError as exc:
        if isinstance(exc.__context__, ClientError):
            raise refusal(exc.__context__, step.call, aws.region) from exc
        raise unreached(exc) from exc
    except ClientError as exc:
        raise refusal(exc, step.call, aws.region) from exc
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
