"""AWS, asked by boto3: one call of a plan → its answer, or an error that says what to do."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from typing import Any

import jmespath
from botocore import xform_name
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from deployment.aws.refusals import is_missing, refusal, unreached
from deployment.errors import Misuse
from deployment.plan.calls import Answer, Call, Look

ELSEWHERE = {"pricing": "us-east-1"}
"""Services that answer in few regions, for all."""

ATTEMPTS = 8
"""AWS throttles those who ask often; botocore asks again after 1, 2, 4 … at most 20 seconds."""


class Aws:
    """An account in a region, through boto3's clients."""

    def __init__(self, region: str | None = None, profile: str | None = None) -> None:
        """Raise `Misuse` where no region is known, `NotAllowed` for an unknown profile."""
        from boto3.session import Session

        try:
            self.session = Session(region_name=region, profile_name=profile)
        except BotoCoreError as exc:
            raise unreached(exc) from exc
        if self.session.region_name is None:
            raise Misuse(
                "It is not said in which AWS region to work: --region eu-central-1, say, or the "
                "variable AWS_DEFAULT_REGION. Take the one in which the image was pushed."
            )
        self.region = str(self.session.region_name)
        self.profile = profile
        self._clients: dict[str, Any] = {}

    @property
    def where(self) -> str:
        """The options with which a command that is pasted asks here again."""
        chosen = ("--profile", self.profile) if self.profile else ()
        return shlex.join(("--region", self.region, *chosen))

    def client(self, service: str) -> Any:
        """boto3's client of a service, made when it is first needed."""
        if service not in self._clients:
            retries = {"total_max_attempts": ATTEMPTS, "mode": "standard"}
            config = Config(retries=retries, connect_timeout=10, read_timeout=70)
            try:
                self._clients[service] = self.session.client(
                    service, config=config, region_name=ELSEWHERE.get(service, self.region)
                )
            except (BotoCoreError, ValueError) as exc:
                raise unreached(exc) from exc
        return self._clients[service]

    def bound(self, service: str, operation: str, member: str) -> int:
        """The most that botocore's model lets an argument of a call have; 0 where it knows none."""
        shape = self.client(service).meta.service_model.operation_model(operation).input_shape
        return int(shape.members[member].metadata["max"]) if member in shape.members else 0

    def ask(self, call: Call) -> dict[str, Any]:
        """The answer. Raises a `DeploymentError`."""
        try:
            return self.answer(call)
        except ClientError as exc:
            raise refusal(exc, call, self.region) from exc

    def look(self, look: Look) -> Any:
        """What there is, or None. Raises a `DeploymentError`."""
        try:
            answer = self.answer(look.call)
        except ClientError as exc:
            if is_missing(exc):
                return None
            raise refusal(exc, look.call, self.region) from exc
        return jmespath.search(look.found, answer)

    def answer(self, call: Call) -> dict[str, Any]:
        """boto3's answer. Raises `ClientError` as boto3 does, all else as a `DeploymentError`."""
        method = getattr(self.client(call.service), xform_name(call.operation))
        try:
            answer: dict[str, Any] = method(**call.parameters)
        except (BotoCoreError, OSError) as exc:
            raise unreached(exc) from exc
        if failed := answer.get("Errors"):  # S3 deletes what it may, and answers 200
            raise ClientError({"Error": failed[0]}, call.operation)
        return answer

    def pages(self, call: Call, key: str) -> Iterator[Any]:
        """All items that a listing call gives, page by page; `key` names their list."""
        paginator = self.client(call.service).get_paginator(xform_name(call.operation))
        try:
            for page in paginator.paginate(**call.parameters):
                yield from page.get(key, ())
        except ClientError as exc:
            if not is_missing(exc):
                raise refusal(exc, call, self.region) from exc
        except (BotoCoreError, OSError) as exc:
            raise unreached(exc) from exc

    def caller(self) -> dict[str, Any]:
        """Whose credentials are used: Account, and Arn."""
        return self.ask(Call("sts", "GetCallerIdentity", {}))

    def account(self) -> str:
        """The number of their account."""
        return str(self.caller()["Account"])


def body(answer: Mapping[str, Any]) -> bytes:
    """All bytes of an answer that comes as a stream. Raises `NotReached` where it breaks off."""
    try:
        return bytes(answer["Body"].read())
    except (BotoCoreError, OSError) as exc:
        raise unreached(exc) from exc


def filled(parameters: Mapping[str, Any], answers: Mapping[str, Mapping[str, Any]]) -> Any:
    """The parameters with each `Answer` replaced by what AWS answered."""

    def fill(value: Any) -> Any:
        if isinstance(value, Answer):
            return answers[value.step][value.key]
        if isinstance(value, Mapping):
            return {key: fill(each) for key, each in value.items()}
        return [fill(each) for each in value] if isinstance(value, list) else value

    return fill(parameters)
