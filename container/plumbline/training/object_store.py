"""A script's code in S3, read with the role of the job."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from plumbline.training.errors import TrainingError

ENDPOINT = "S3_ENDPOINT_URL"
"""Another S3, as AWS's training toolkit has it; boto3 itself knows AWS_ENDPOINT_URL_S3."""


def download(address: str, file: Path, environment: Mapping[str, str]) -> None:
    """Write the object to a file. Raises `TrainingError`."""
    import boto3
    from boto3.exceptions import Boto3Error
    from botocore.exceptions import BotoCoreError, ClientError

    parts = urlsplit(address)
    region = environment.get("AWS_REGION") or environment.get("SAGEMAKER_REGION") or None
    try:
        client = boto3.session.Session(region_name=region).client(
            "s3", endpoint_url=environment.get(ENDPOINT) or None
        )
        client.download_file(parts.netloc, parts.path.lstrip("/"), str(file))
    except ClientError as exc:
        code = exc.response.get("Error", {}).get("Code", "")
        why = "there is no such object" if code in ("404", "NoSuchKey", "NoSuchBucket") else code
        raise TrainingError(f"{address} can't be read: {why}. {remedy(code)}") from exc
    except (BotoCoreError, Boto3Error) as exc:
        raise TrainingError(f"{address} can't be read: {exc}. {ISOLATED}") from exc


ISOLATED = (
    "A job with EnableNetworkIsolation reaches no S3: give it the code as a channel named code."
)


def remedy(code: str) -> str:
    """What to do, by S3's code."""
    if code in ("403", "AccessDenied"):
        return "The job's role needs s3:GetObject for it."
    return "Is the address in sagemaker_submit_directory right?"
