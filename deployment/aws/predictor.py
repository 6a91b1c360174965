"""Pictures → an endpoint of any kind → answers."""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from deployment import names
from deployment.aws.client import Aws, body
from deployment.aws.outage import Outage, Say, silent
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
    say: Say

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

    @cached_property
    def config(self) -> Mapping[str, Any]:
        """Its configuration."""
        name = self.described["EndpointConfigName"]
        call = Call("sagemaker", "DescribeEndpointConfig", {"EndpointConfigName": name})
        return self.aws.look(Look(call)) or {}

    @property
    def component(self) -> str:
        """The inference component that answers; empty where variants have models themselves."""
        variants = self.config.get("ProductionVariants") or [{"ModelName": ""}]
        return "" if "ModelName" in variants[0] else names.component(self.name)

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
        return body(self.aws.ask(invocation(self.name, picture, asked)))

    def ask_async(self, picture: bytes, asked: Asked) -> bytes:
        """Have the picture answered, by way of S3 if it is large, and wait for the answer there."""
        *puts, invoke = self.async_calls(picture, len(picture), asked)
        for put in puts:
            self.aws.ask(put)
        answer = self.aws.ask(invoke)
        return self.awaited(answer["OutputLocation"], answer.get("FailureLocation", ""))

    def async_calls(self, picture: Any, size: int, asked: Asked) -> tuple[Call, ...]:
        """The request that a picture of so many bytes be answered; a large one into S3 first."""
        if size <= self.aws.bound("sagemaker-runtime", "InvokeEndpointAsync", "Body"):
            return (async_invocation(self.name, {"Body": picture}, asked),)
        bucket = self.requests_bucket
        key = f"{names.prefix(self.name)}requests/{uuid.uuid4()}"
        put = Call("s3", "PutObject", {"Bucket": bucket, "Key": key, "Body": picture})
        place = {"InputLocation": f"s3://{bucket}/{key}"}
        return put, async_invocation(self.name, place, asked)

    def awaited(self, output: str, failure: str) -> bytes:
        """What appears in S3. Raises `Refused` with what the container said of a failure."""
        deadline = time.monotonic() + ASYNC_SECONDS
        outage = Outage(self.say)
        while time.monotonic() < deadline:
            if (found := outage.borne(lambda: self.fetched(output))) is not None:
                return bytes(found)
            if failure and (found := outage.borne(lambda: self.fetched(failure))) is not None:
                raise Refused(found.decode(errors="replace")[:2048], "ModelError")
            time.sleep(PAUSE)
        raise NotReached(
            f"No answer appeared at {output} within an hour; `python deploy.py logs {self.name}` "
            "shows what the container says."
        )

    def fetched(self, url: str) -> bytes | None:
        """An object's bytes, if it is there."""
        bucket, key = place(url)
        found = self.aws.look(Look(Call("s3", "GetObject", {"Bucket": bucket, "Key": key})))
        return None if found is None else body(found)


def endpoint(aws: Aws, name: str, say: Say = silent) -> Endpoint:
    """The endpoint of a name. Raises `Refused` where there is none.

    An outage while an answer is waited for is told by `say`.
    """
    described = aws.look(look_at(name))
    if described is None:
        raise Refused(
            f"There is no endpoint {name} in {aws.region}. `python deploy.py list` shows those "
            "there are; --region looks elsewhere.",
            "not found",
        )
    return Endpoint(aws, described, say)
