"""What AWS's own descriptions of its services say against a call."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import botocore.loaders
from botocore.model import ServiceModel
from botocore.validate import ParamValidator

from deployment.plan.calls import Answer, Call

LOADER = botocore.loaders.create_loader()


@cache
def service(name: str) -> ServiceModel:
    """AWS's own description of a service."""
    return ServiceModel(LOADER.load_service_model(name, "service-2"), name)


def complaints(call: Call) -> list[str]:
    """What is wrong with a call: types, and then bounds, patterns and choices."""
    shape = service(call.service).operation_model(call.operation).input_shape
    parameters = filled(call.parameters)
    report = ParamValidator().validate(parameters, shape)
    if report.has_errors():
        return [report.generate_report()]
    return list(strict(parameters, shape, call.operation))


ARNS = {
    "PolicyARN": "arn:aws:autoscaling:eu-central-1:123456789012:scalingPolicy:1:resource/x",
    "EndpointConfigArn": "arn:aws:sagemaker:eu-central-1:123456789012:endpoint-config/x",
    "ModelArn": "arn:aws:sagemaker:eu-central-1:123456789012:model/x",
}
"""What earlier calls answer."""


def filled(value: Any) -> Any:
    """Parameters with some ARN for what an earlier call will answer."""
    if isinstance(value, Answer):
        return ARNS[value.key]
    if isinstance(value, Mapping):
        return {key: filled(each) for key, each in value.items()}
    return [filled(each) for each in value] if isinstance(value, list) else value


def strict(value: Any, shape: Any, place: str) -> Iterator[str]:
    """What botocore leaves for the service to check, at any depth."""
    inner = INSIDE.get(shape.type_name)
    if inner:
        for each, of, name in inner(value, shape):
            yield from strict(each, of, f"{place}.{name}")
    if isinstance(value, str):
        yield from text(value, shape, place)
    size = len(value) if isinstance(value, str | list | Mapping) else value
    bounds = shape.metadata
    if not bounds.get("min", size) <= size <= bounds.get("max", size):
        yield f"{place}: {size} is not within {bounds.get('min')} and {bounds.get('max')}"


INSIDE: dict[str, Any] = {
    "structure": lambda value, shape: (
        (each, shape.members[key], key) for key, each in value.items()
    ),
    "list": lambda value, shape: ((each, shape.member, "") for each in value),
    "map": lambda value, shape: ((each, shape.value, key) for key, each in value.items()),
}


def text(value: str, shape: Any, place: str) -> Iterator[str]:
    """A text's choices and pattern."""
    if getattr(shape, "enum", None) and value not in shape.enum:
        yield f"{place}: {value!r} is none of {shape.enum}"
    pattern = shape.metadata.get("pattern", "").replace(r"\p{L}\p{Z}\p{N}", r"\w\s")
    pythonic = not re.search(r"\\p\{|\\u", pattern)  # Java's, for characters beyond ASCII
    if pattern and pythonic and not re.fullmatch(pattern, value):
        yield f"{place}: {value!r} is not like {pattern}"
