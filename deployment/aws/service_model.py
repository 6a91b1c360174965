"""A plan, held against botocore's own description of each call, before anything is asked."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from botocore.validate import ParamValidator

from deployment.aws.client import Aws
from deployment.errors import Misuse
from deployment.names import near
from deployment.plan.calls import Answer, Plan

JAVAS = re.compile(r"\\p\{|\\u")
"""Patterns that Python's expressions don't know."""

MACHINE = re.compile(r"ml\.")

OPTIONS = {
    "ContainerStartupHealthCheckTimeoutInSeconds": "--health-timeout",
    "ErrorTopic": "--error-topic",
    "InitialInstanceCount": "--count",
    "KmsKeyId": "--kms-key or --kms-data",
    "MaxConcurrency": "--concurrency",
    "MaxConcurrentInvocationsPerInstance": "--concurrency",
    "ModelDataDownloadTimeoutInSeconds": "--download-timeout",
    "ProductionVariants": "--variant",
    "ProvisionedConcurrency": "--provisioned",
    "SecurityGroupIds": "--security-group",
    "Subnets": "--subnet",
    "SuccessTopic": "--success-topic",
}
"""By which options arguments are given."""


def check(aws: Aws, plan: Plan) -> None:
    """Raise `Misuse` for a call that AWS would not take."""
    for call in plan.calls():
        model = aws.client(call.service).meta.service_model.operation_model(call.operation)
        for problem in problems(call.parameters, model.input_shape, call.operation):
            raise Misuse(problem)
        report = ParamValidator().validate(known(call.parameters), model.input_shape)
        if report.has_errors():
            raise Misuse(f"AWS takes no such value. {report.generate_report()}")


def problems(value: Any, shape: Any, place: str) -> Iterator[str]:
    """What botocore leaves for the service to check, at any depth: choices, patterns, bounds."""
    if isinstance(value, Answer):
        return
    if isinstance(value, Mapping):
        inside = dict.fromkeys(value, shape.value) if shape.type_name == "map" else shape.members
        for key in inside.keys() & value.keys():  # the rest is told by botocore itself
            yield from problems(value[key], inside[key], f"{place}.{key}")
    elif isinstance(value, list | tuple):
        for each in value:
            yield from problems(each, shape.member, place)
    elif isinstance(value, str):
        yield from text_problems(value, shape, place)
    size = len(value) if isinstance(value, str | list | tuple | Mapping) else value
    least, most = shape.metadata.get("min", size), shape.metadata.get("max", size)
    if not least <= size <= most:
        yield f"{written(place)} {size}: AWS takes {bounds(shape.metadata)}."


def text_problems(value: str, shape: Any, place: str) -> Iterator[str]:
    """A text's choices and pattern."""
    known = getattr(shape, "enum", ())
    if known and value not in known:
        meant = near(value, known)
        if MACHINE.match(known[0]):
            known_uses = {"Training": "training", "Tuning": "training", "Transform": "batch jobs"}
            uses = (use for part, use in known_uses.items() if part in place)
            purpose = next(uses, "endpoints")
            yield (
                f"--instance {value}: SageMaker knows no such instance type for {purpose}.{meant} "
                "If AWS has added it recently: pip install -U boto3."
            )
        else:
            yield f"{written(place)}: AWS takes no such value as {value!r}.{meant}"
    pattern = shape.metadata.get("pattern", "")
    if pattern and not JAVAS.search(pattern) and not re.fullmatch(pattern, value, re.DOTALL):
        yield f"{written(place)} is {value!r}, and AWS takes what is like {pattern}"


def written(place: str) -> str:
    """The option that an argument is given by, or the argument as AWS calls it."""
    return OPTIONS.get(place.rpartition(".")[2], place)


def bounds(metadata: Mapping[str, Any]) -> str:
    """Within what a size must be."""
    if "max" not in metadata:
        return f"{metadata['min']} at least"
    return f"{metadata.get('min', 0)} to {metadata['max']}"


def known(value: Any) -> Any:
    """Arguments with some text for what an earlier call will answer."""
    if isinstance(value, Answer):
        return str(value)
    if isinstance(value, Mapping):
        return {key: known(each) for key, each in value.items()}
    return [known(each) for each in value] if isinstance(value, list | tuple) else value
