"""The toolkit's decoder and encoder: bodies → NumPy, and predictions → bodies."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any

from plumbline.errors import RequestError
from plumbline.handlers import toolkit_bodies
from plumbline.handlers.stand_ins.toolkit_errors import (
    GenericInferenceToolkitError,
    Unreadable,
    lacking,
)
from plumbline.handlers.stand_ins.toolkit_errors import UnsupportedFormatError as Unsupported
from plumbline.handlers.toolkit_bodies import ENCODERS, from_csv, media_type
from plumbline.vision.arrays import Tensor
from plumbline.wire.responses import CSV, NPY

NPZ = "application/x-npz"

DECODERS: Mapping[str, Callable[[bytes], Tensor]] = MappingProxyType(
    {**toolkit_bodies.DECODERS, CSV: partial(from_csv, dtype=None)}
)
"""Columns of CSV have the types that their texts have."""


def decode(obj: str | bytes, content_type: str) -> Tensor:
    """The array in a body. Raises `UnsupportedFormatError` and `Unreadable`."""
    kind = media_type(content_type or "")
    if kind == NPZ:
        raise lacking(f"sagemaker_inference.decoder for {NPZ}")
    if kind not in DECODERS:
        raise Unsupported(content_type)
    try:
        return DECODERS[kind](obj.encode() if isinstance(obj, str) else bytes(obj))
    except RequestError as exc:
        raise Unreadable(exc.message) from exc


def encode(array_like: Any, content_type: str) -> str | bytes:
    """A prediction as text, or as bytes in NumPy's format. Raises `UnsupportedFormatError`."""
    kind = media_type(content_type or "")
    if kind not in ENCODERS:
        raise Unsupported(content_type, 406)
    body = ENCODERS[kind](array_like)
    return body if kind == NPY else body.decode()


def answered(
    response: Any = None,
    accept: str | None = None,
    status: int = 200,
    mimetype: str | None = None,
) -> tuple[Any, str]:
    """What worker.Response is in sagemaker_containers: a body and its type.

    Raises `GenericInferenceToolkitError` where it is an error's.
    """
    if status >= 400:
        raise GenericInferenceToolkitError(status, response if isinstance(response, str) else None)
    return response or b"", accept or mimetype or ""
