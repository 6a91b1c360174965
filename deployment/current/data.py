"""What lies in S3 to be learnt from, looked at before a job is made of it."""

from __future__ import annotations

from typing import Any

from deployment.aws.client import Aws, body
from deployment.aws.refusals import in_another_region
from deployment.aws.s3 import place
from deployment.errors import Misuse, Refused
from deployment.plan import manifest
from deployment.plan.calls import Call, Look
from deployment.plan.limits import URL
from deployment.plan.training import Channel


def check_bucket(aws: Aws, url: str) -> None:
    """Raise `Misuse` for no bucket, `Refused` for one that SageMaker can't read from here."""
    if not URL.fullmatch(url):
        raise Misuse(f"{url}: it must be like s3://my-bucket/photos/.")
    bucket, _ = place(url)
    found = aws.look(Look(Call("s3", "HeadBucket", {"Bucket": bucket})))
    if found is None:
        raise Misuse(f"There is no bucket {bucket}: {url} can't be read.")
    if found.get("BucketRegion") not in (None, aws.region):
        raise in_another_region(bucket, aws.region)


def folders(aws: Aws, url: str, known: set[str]) -> dict[str, str]:
    """The folders right below an address that are called as one of `known`."""
    check_bucket(aws, url)
    bucket, prefix = place(f"{url.rstrip('/')}/")
    asked = {"Bucket": bucket, "Prefix": prefix.lstrip("/"), "Delimiter": "/"}
    found = aws.pages(Call("s3", "ListObjectsV2", asked), "CommonPrefixes")
    names = {each["Prefix"].rstrip("/").rpartition("/")[2]: each["Prefix"] for each in found}
    return {name: f"s3://{bucket}/{key}" for name, key in names.items() if name in known}


def channels(aws: Aws, name: str, url: str) -> tuple[Channel, ...]:
    """A channel; of a manifest two, as its pictures are another. Raises `Refused` for nothing."""
    check_bucket(aws, url)
    if url.endswith(manifest.ENDINGS):
        return with_pictures(aws, name, url)
    bucket, prefix = place(url)
    whole = with_slash(aws, bucket, prefix)
    sizes = [each["Size"] for each in listed(aws, bucket, whole)]
    if not any(sizes):
        raise Refused(f"There is nothing under {url}: nothing to learn from.", "empty")
    return (Channel(name, url=f"s3://{bucket}/{whole}", size=sum(sizes)),)


def with_slash(aws: Aws, bucket: str, prefix: str) -> str:
    """A folder with its slash, as S3 would also take what only begins like it."""
    folder = f"{prefix.rstrip('/')}/"
    asked = {"Bucket": bucket, "Prefix": folder, "MaxKeys": 1}
    inside = aws.ask(Call("s3", "ListObjectsV2", asked)).get("KeyCount", 0)
    return folder if inside and prefix else prefix


def listed(aws: Aws, bucket: str, prefix: str) -> Any:
    """What lies under a prefix."""
    return aws.pages(Call("s3", "ListObjectsV2", {"Bucket": bucket, "Prefix": prefix}), "Contents")


def with_pictures(aws: Aws, name: str, url: str) -> tuple[Channel, ...]:
    """A manifest in S3, and the pictures that it names."""
    bucket, key = place(url)
    found = aws.look(Look(Call("s3", "GetObject", {"Bucket": bucket, "Key": key})))
    if found is None:
        raise Misuse(f"There is no object {url}. `aws s3 ls s3://{bucket}/` shows what is there.")
    content = body(found)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        raise Misuse(f"{url} is not UTF-8 text, and so no augmented manifest.") from exc
    pictures = manifest.common_folder(manifest.sources(text, url), url)
    check_bucket(aws, pictures)
    return (
        Channel(name, url=url, size=len(content)),
        Channel(f"{name}_pictures", url=pictures, streamed=True),
    )
