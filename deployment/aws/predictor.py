"""Pictures → an endpoint of any kind → answers."""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from deployment import names
from deployment.aws.client import Aws
from deployment.aws.s3 import place
from deployment.errors import NotReached, Refused
from deployment.plan.calls import Call, Look
from deployment.plan.endpoint import look_at
from deployment.plan.requests import Asked, async_invocation, invocation

ASYNC_SECONDS = 3600.0
"""The longest that SageMaker lets a request of an async endpoint take."""

PAUSE = 2.0
"""Seconds between two looks for an answer in S3."""


@dataclass(frozen=True)
class Endpoint:
    """An endpoint as SageMaker describes it."""

    aws: Aws
    described: Mapping[str, Any]

    @property
    def name(self) -> str:
        """Its name."""
        return str(self.described["EndpointName"])

    @property
    def answers_to(self) -> str | None:
        """Where an async endpoint puts its answers; None for others."""
        config = self.described.get("AsyncInferenceConfig") or self.config.get(
            "AsyncInferenceConfig", {}
        )
        path = config.get("OutputConfig", {}).get("S3OutputPath")
        return None if path is None else str(path)

    @property
    def config(self) -> Mapping[str, Any]:
        """Its configuration."""
        name = self.described["EndpointConfigName"]
        call = Call("sagemaker", "DescribeEndpointConfig", {"EndpointConfigName": name})
        return self.aws.look(Look(call)) or {}

    @property
    def variants(self) -> tuple[str, ...]:
        """The names of the variants that answer."""
        return tuple(each["VariantName"] for each in self.config.get("ProductionVariants", ()))

    @property
    def requests_bucket(self) -> str:
        """Where requests lie for an async endpoint: beside its archive, if deploy.py put it there.

        What lies there is found again by `down --data`, and the role may read it.
        """
        [variant, *_] = self.config["ProductionVariants"]
        call = Call("sagemaker", "DescribeModel", {"ModelName": variant["ModelName"]})
        url = self.aws.look(Look(call, "PrimaryContainer.ModelDataUrl")) or ""
        bucket, key = place(url)
        ours = key.startswith(names.prefix(self.name))
        return bucket if ours else place(self.answers_to or "")[0]

    def ask(self, picture: bytes, asked: Asked) -> bytes:
        """The answer. Raises a `DeploymentError`, which a container's error is, too."""
        if self.answers_to:
            return self.ask_async(picture, asked)
        return bytes(self.aws.ask(invocation(self.name, picture, asked))["Body"].read())

    def ask_async(self, picture: bytes, asked: Asked) -> bytes:
        """Put the picture into S3, have it answered, and wait for the answer there."""
        put, invoke = self.async_calls(picture, asked)
        self.aws.ask(put)
        answer = self.aws.ask(invoke)
        return self.awaited(answer["OutputLocation"], answer.get("FailureLocation", ""))

    def async_calls(self, picture: Any, asked: Asked) -> tuple[Call, Call]:
        """The picture into S3, and the request that it be answered there."""
        bucket = self.requests_bucket
        key = f"{names.prefix(self.name)}requests/{uuid.uuid4()}"
        put = Call("s3", "PutObject", {"Bucket": bucket, "Key": key, "Body": picture})
        return put, async_invocation(self.name, f"s3://{bucket}/{key}", asked)

    def awaited(self, output: str, failure: str) -> bytes:
        """What appears in S3. Raises `Refused` with what the container said of a failure."""
        deadline = time.monotonic() + ASYNC_SECONDS
        while time.monotonic() < deadline:
            if (body := self.fetched(output)) is not None:
                return body
            if failure and (body := self.fetched(failure)) is not None:
                raise Refused(body.decode(errors="replace")[:2048], "ModelError")
            time.sleep(PAUSE)
        raise NotReached(
            f"No answer appeared at {output} within an hour; `python deploy.py logs {self.name}` "
            "shows what the container says."
        )

    def fetched(self, url: str) -> bytes | None:
        """An object's bytes, if it is there."""
        bucket, key = place(url)
        found = self.aws.look(Look(Call("s3", "GetObject", {"Bucket": bucket, "Key": key})))
        return None if found is None else bytes(found["Body"].read())


def endpoint(aws: Aws, name: str) -> Endpoint:
    """The endpoint of a name. Raises `Refused` where there is none that answers."""
    described = aws.look(look_at(name))
    if described is None:
        raise Refused(
            f"There is no endpoint {name} in {aws.region}. `python deploy.py list` shows those "
            "there are; --region looks elsewhere.",
            "not found",
        )
    return Endpoint(aws, described)
