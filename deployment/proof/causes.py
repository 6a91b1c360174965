"""What SageMaker and the container's log say → the likeliest cause of an endpoint that failed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from deployment.aws.client import Aws
from deployment.current import cloudwatch
from deployment.errors import EndpointFailed

LINES = 15
"""Of the log that are shown where a container failed."""

UNKNOWN = (
    "The log says no more. `local_test/serve_local.sh --isolated model.tar.gz` runs the archive in "
    "the image on this machine, where more is to be seen."
)


def cause(reason: str, lines: Iterable[str]) -> str:
    """The likeliest cause, in words, and what to do; the log knows better than SageMaker."""
    said = [cloudwatch.message(line) for line in lines]
    for text in (*reversed(said), reason):
        for pattern, advice in CAUSES:
            if found := re.search(pattern, text, re.IGNORECASE):
                return found.expand(advice)
    return UNKNOWN


CAUSES: tuple[tuple[str, str], ...] = (
    (r"(\d+ of \d+ golden pictures come out wrong\.[^\n]*)", r"\1"),
    (r"(The model failed to load: [^\n]*)", r"\1"),
    (
        r"exec format error",
        (
            "The image is for another kind of processor than the instance's. Build it with "
            "./build_and_push.sh --platform linux/amd64, or linux/arm64 for instance types that "
            "have a g behind its number, such as ml.c7g.large."
        ),
    ),
    (
        r"exec: \\?\"serve\\?\"|CannotStartContainerError",
        "The image does not start `serve`: it is not the one that ./build_and_push.sh pushed.",
    ),
    (
        r"MemoryError|out of memory|OOM|SIGKILL|signal 9|bad_alloc",
        (
            "The container ran out of memory. Take a larger --instance, such as ml.c5.xlarge, or "
            "more --serverless memory."
        ),
    ),
    (
        r"(download|access)\w* (the )?model data|model data .*(denied|access)|AccessDenied.*s3",
        (
            "The role may not read the archive. Give the role of --role s3:GetObject on it, and "
            "s3:ListBucket on its bucket."
        ),
    ),
    (
        r"extract(ing)? model data|not a gzip|unexpected end of (data|file)|invalid tar",
        "What lies in S3 is not a complete model.tar.gz: pack it again with plumbline pack.",
    ),
    (
        r"(pull|access)\w* .*image|ecr:|repository",
        (
            "SageMaker can't fetch the image. The role of --role needs ecr:BatchGetImage, "
            "ecr:GetDownloadUrlForLayer and ecr:GetAuthorizationToken; the policy "
            "AmazonEC2ContainerRegistryReadOnly has them."
        ),
    ),
    (
        r"image size|size of the image|larger than .*image",
        "The image is too large for this kind of endpoint: push --target slim.",
    ),
    (
        r"insufficient.*capacity|unable to provision|capacity error",
        ("AWS has no capacity for this instance type now. Try again later, or another --instance."),
    ),
    (
        r"ping|health check|healthy",
        (
            "The container did not get ready in time. Large models need a larger --instance or "
            "--health-timeout 900; the log says how far it came."
        ),
    ),
)
"""A pattern, and what it means; of two that match the first counts."""


@contextmanager
def explained(aws: Aws, name: str) -> Iterator[None]:
    """Let a failed endpoint say why: SageMaker's reason, the log's end, the likeliest cause."""
    try:
        yield
    except EndpointFailed as exc:
        raise EndpointFailed("\n".join(explanation(aws, name, exc))) from exc


def explanation(aws: Aws, name: str, error: Any) -> Iterator[str]:
    """All that is known of a failure, a line each."""
    lines, problem = cloudwatch.tried(aws, name, LINES)
    yield str(error)
    if lines:
        yield "The last lines of its log:"
        yield from (f"  {line}" for line in lines)
    elif problem:
        yield problem
    yield f"The likeliest cause: {cause(str(error), (line.text for line in lines))}"
