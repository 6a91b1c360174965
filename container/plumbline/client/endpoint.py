"""A SageMaker endpoint, asked as a server is, through boto3."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from plumbline.client.base import SECONDS, Answer, NoAnswer, NotReached
from plumbline.settings.variable_values import MEBIBYTE
from plumbline.wire.responses import JSON, to_json

MOST_BYTES = 25 * MEBIBYTE
"""Of one request: SageMaker's own limit, beyond which it may just hang up."""

MOST_ATTEMPTS = 3

TOO_LARGE = ("oversize body", "content length exceeded", "length less than or equal")
"""How SageMaker says that a request has too many bytes; its codes for that are many."""

TIMED_OUT = 504
"""Stands for the status 0 of a container that said nothing."""

HINTS: Mapping[str, str] = MappingProxyType(
    {
        "ValidationError": "Check --endpoint, --variant and --region.",
        "ValidationException": "Check --endpoint, --variant and --region.",
        "AccessDeniedException": "Your credentials need the right sagemaker:InvokeEndpoint.",
    }
)
"""What to do about an error of SageMaker's; about all others, look at the credentials."""


@dataclass(frozen=True)
class Endpoint:
    """An endpoint by its name; `runtime` is boto3's client of "sagemaker-runtime"."""

    name: str
    runtime: Any
    variant: str | None = None
    most_bytes: int = MOST_BYTES

    def invoke(self, body: bytes, content_type: str, accept: str, attributes: str) -> Answer:
        """See `Client.invoke`; an error of the container counts as its answer."""
        from botocore.exceptions import BotoCoreError, ClientError

        chosen = {"CustomAttributes": attributes, "TargetVariant": self.variant}
        given = {name: value for name, value in chosen.items() if value}
        try:
            answer = self.runtime.invoke_endpoint(
                EndpointName=self.name, Body=body, ContentType=content_type, Accept=accept, **given
            )
            return Answer(200, answer.get("ContentType", ""), answer["Body"].read())
        except ClientError as exc:
            return self.error(exc.response)
        except (BotoCoreError, OSError) as exc:
            raise unreached(exc, f"the endpoint {self.name}") from exc

    @property
    def region(self) -> str:
        """Where it is."""
        return str(self.runtime.meta.region_name)

    def error(self, response: Mapping[str, Any]) -> Answer:
        """The container's error, or SageMaker's; what no picture can mend is `NotReached`."""
        code, said = response["Error"]["Code"], response["Error"]["Message"]
        status = response["ResponseMetadata"]["HTTPStatusCode"]
        if code == "ModelError":
            told = response.get("OriginalMessage") or said
            return Answer(response.get("OriginalStatusCode") or TIMED_OUT, JSON, told.encode())
        if any(words in said for words in TOO_LARGE):
            return too_large()
        if status == 429 or status >= 500 or "Throttl" in code:
            return refused(503, code, f"SageMaker: {said}")
        hint = HINTS.get(code, "Check your AWS credentials.")
        raise NotReached(f"SageMaker does not ask the endpoint {self.name}: {said} {hint}")


def connect(name: str, region: str | None, variant: str | None, at_once: int = 1) -> Endpoint:
    """The endpoint, to be asked from so many threads. Raises `NotReached`."""
    from boto3.session import Session
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError

    config = Config(
        read_timeout=SECONDS,
        retries={"total_max_attempts": MOST_ATTEMPTS, "mode": "standard"},
        max_pool_connections=at_once,
    )
    try:
        runtime = Session(region_name=region).client("sagemaker-runtime", config=config)
    except (BotoCoreError, ValueError) as exc:
        raise unreached(exc, "AWS") from exc
    return Endpoint(name, runtime, variant)


def unreached(error: Exception, what: str) -> NotReached | NoAnswer:
    """What boto3 met on the way, in a sentence with what to do."""
    from botocore import exceptions as boto

    if isinstance(error, boto.NoRegionError):
        return NotReached(
            "It is not said in which AWS region the endpoint is: --region eu-central-1, say, or "
            "the variable AWS_DEFAULT_REGION."
        )
    if isinstance(error, boto.NoCredentialsError | boto.PartialCredentialsError):
        return NotReached(
            "There are no AWS credentials, or not all of them: aws configure sets them, "
            "AWS_PROFILE chooses among several."
        )
    if isinstance(error, boto.ReadTimeoutError | boto.ConnectionClosedError):
        return NoAnswer(f"{what} gave no answer: {error}")
    return NotReached(f"{what} can't be reached: {error}".rstrip(".") + ".")


def too_large() -> Answer:
    """The answer for a body that SageMaker does not take."""
    return refused(
        413,
        "body_too_large",
        f"A SageMaker endpoint takes {MOST_BYTES // MEBIBYTE} MiB a request at most, a serverless "
        "one 4; send a smaller picture.",
    )


def refused(status: int, code: str, message: str) -> Answer:
    """An error as the server itself would write it."""
    return Answer(status, JSON, to_json({"error": {"code": code, "message": message}}))
