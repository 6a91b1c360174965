"""An image in Amazon ECR: whether it is there, and for which processors."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from deployment.aws.client import Aws
from deployment.errors import DeploymentError, Misuse
from deployment.plan.calls import Call
from deployment.plan.limits import ECR

MOST_BYTES = 1024**2
"""Of an image's description; those of real images have some thousand."""

SECONDS = 10.0


def reference(image: str) -> tuple[dict[str, Any], dict[str, str]]:
    """The repository, as ECR's calls name it, and which image of it."""
    found = ECR.fullmatch(image)
    if not found:
        raise Misuse(f"--image {image} is no image of Amazon ECR.")
    tail = found["tail"] or ":latest"
    place = {"registryId": found["account"], "repositoryName": found["repository"]}
    kind = "imageDigest" if tail[0] == "@" else "imageTag"
    return place, {kind: tail[1:]}


def platforms(aws: Aws, image: str) -> frozenset[str]:
    """The processors, as amd64 or arm64; none where that can't be seen.

    Raises `Misuse` for an image that is not there.
    """
    place, which = reference(image)
    answer = aws.ask(Call("ecr", "BatchGetImage", {**place, "imageIds": [which]}))
    if not answer["images"]:
        raise missing(image)
    try:
        return frozenset(of_manifest(aws, place, json.loads(answer["images"][0]["imageManifest"])))
    except (DeploymentError, OSError, ValueError, KeyError, TypeError, AttributeError):
        return frozenset()


def missing(image: str) -> Misuse:
    """What to do about an image that is not there."""
    return Misuse(
        f"--image {image}: there is no such image. ./build_and_push.sh pushes it, and prints the "
        "URI to take."
    )


def of_manifest(aws: Aws, place: Mapping[str, Any], manifest: Mapping[str, Any]) -> list[str]:
    """What a manifest says, or the description that it points at."""
    if "manifests" in manifest:
        return [str(each["platform"]["architecture"]) for each in manifest["manifests"]]
    layer = {**place, "layerDigest": manifest["config"]["digest"]}
    url = str(aws.ask(Call("ecr", "GetDownloadUrlForLayer", layer))["downloadUrl"])
    if urlsplit(url).scheme != "https":
        return []
    with urllib.request.urlopen(url, timeout=SECONDS) as stream:  # noqa: S310 - https, from ECR
        return [str(json.loads(stream.read(MOST_BYTES))["architecture"])]
