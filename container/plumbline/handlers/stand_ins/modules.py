"""The stand-ins' modules, each with the names that are in it.

What has no names can be imported, as much code does without a use for it; what it would have had
is refused in words.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from plumbline.handlers.stand_ins import toolkit_classes, toolkit_errors, utils
from plumbline.handlers.stand_ins.encodings import NPZ, answered, decode, encode
from plumbline.handlers.toolkit_bodies import ENCODERS
from plumbline.wire.responses import CSV, JSON, NPY

CONTENT_TYPES: dict[str, Any] = {
    "JSON": JSON,
    "CSV": CSV,
    "NPY": NPY,
    "NPZ": NPZ,
    "OCTET_STREAM": "application/octet-stream",
    "ANY": "*/*",
    "UTF8_TYPES": [JSON, CSV],
}

ERRORS = {
    error.__name__: error
    for error in (
        toolkit_errors.BaseInferenceToolkitError,
        toolkit_errors.ClientError,
        toolkit_errors.GenericInferenceToolkitError,
        toolkit_errors.UnsupportedFormatError,
    )
}

UTILS = {
    function.__name__: function
    for function in (
        utils.parse_accept,
        utils.read_file,
        utils.remove_crlf,
        utils.retrieve_content_type_header,
        utils.write_file,
    )
}

ENCODERS_BY_NAME = {
    f"{name}_to_numpy": partial(decode, content_type=kind)
    for name, kind in (("json", JSON), ("csv", CSV), ("npy", NPY))
} | {
    f"array_to_{name}": partial(encode, content_type=kind)
    for name, kind in (("json", JSON), ("csv", CSV), ("npy", NPY))
}

INFERENCE: dict[str, dict[str, Any]] = {
    "content_types": CONTENT_TYPES,
    "decoder": {"decode": decode},
    "default_handler_service": {"DefaultHandlerService": toolkit_classes.DefaultHandlerService},
    "default_inference_handler": {
        "DefaultInferenceHandler": toolkit_classes.DefaultInferenceHandler
    },
    "encoder": {"encode": encode, "SUPPORTED_CONTENT_TYPES": set(ENCODERS)},
    "environment": {},
    "errors": ERRORS,
    "logging": {"configure_logger": utils.configure_logger, "get_logger": utils.get_logger},
    "model_server": {},
    "parameters": {},
    "transformer": {"Transformer": toolkit_classes.Transformer},
    "utils": UTILS,
}

CONTAINERS: dict[str, dict[str, Any]] = {
    "content_types": CONTENT_TYPES,
    "encoders": {"encode": encode, "decode": decode, **ENCODERS_BY_NAME},
    "env": {},
    "errors": ERRORS,
    "modules": {},
    "transformer": {},
    "worker": {"Response": answered},
}
"""Of the inference toolkit's forerunner, all below `beta.framework`."""

MODULES: dict[str, dict[str, Any]] = {
    "sagemaker_inference": {},
    **{f"sagemaker_inference.{name}": names for name, names in INFERENCE.items()},
    "sagemaker_containers": {},
    "sagemaker_containers.beta": {},
    "sagemaker_containers.beta.framework": {},
    **{f"sagemaker_containers.beta.framework.{name}": it for name, it in CONTAINERS.items()},
}
