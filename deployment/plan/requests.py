"""A picture, and how its answer is wanted → the calls that ask an endpoint for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from deployment.plan.calls import Call

ANY_PICTURE = "application/x-image"
"""The server looks at the bytes, whatever a file is called."""


@dataclass(frozen=True)
class Asked:
    """How an answer is wanted: its media type, custom attributes, and by which variant.

    Or by which inference component, or by which archive of a multi-model endpoint.
    """

    accept: str = "application/json"
    attributes: str = ""
    variant: str = ""
    component: str = ""
    model: str = ""


def invocation(name: str, picture: Any, asked: Asked) -> Call:
    """A request that is answered at once."""
    chosen = {
        "CustomAttributes": asked.attributes,
        "TargetVariant": asked.variant,
        "InferenceComponentName": asked.component,
        "TargetModel": asked.model,
    }
    parameters = {
        "EndpointName": name,
        "Body": picture,
        "ContentType": ANY_PICTURE,
        "Accept": asked.accept,
        **{key: value for key, value in chosen.items() if value},
    }
    return Call("sagemaker-runtime", "InvokeEndpoint", parameters)


def async_invocation(name: str, picture: Mapping[str, Any], asked: Asked) -> Call:
    """A request that is answered in S3; the picture is its Body, or lies at its InputLocation."""
    parameters = {
        "EndpointName": name,
        **picture,
        "ContentType": ANY_PICTURE,
        "Accept": asked.accept,
    }
    if asked.attributes:
        parameters["CustomAttributes"] = asked.attributes
    return Call("sagemaker-runtime", "InvokeEndpointAsync", parameters)
