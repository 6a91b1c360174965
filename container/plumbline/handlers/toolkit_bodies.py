"""The inference toolkit's defaults: a body → NumPy, and what a model returns → a body."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import orjson

from plumbline.archive.handler_errors import HandlerFailed
from plumbline.errors import InvalidCSV, InvalidJSON, NotAcceptable, UnsupportedContentType
from plumbline.handlers.return_values import article
from plumbline.vision.arrays import Tensor
from plumbline.wire.npy import read_array
from plumbline.wire.responses import CSV, JSON, NPY, Response, plain, preferences

TEXTS = (JSON, CSV)
"""Types whose bodies reach input_fn as str."""


def media_type(content_type: str) -> str:
    """The type without its parameters."""
    return content_type.partition(";")[0].strip().lower()


def as_given(body: bytes, content_type: str) -> bytes | str:
    """The body as the toolkit hands it to a function. Raises `InvalidJSON` or `InvalidCSV`."""
    kind = media_type(content_type)
    if kind not in TEXTS:
        return body
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError as exc:
        error = InvalidJSON if kind == JSON else InvalidCSV
        raise error(f"The body is {kind}, but not UTF-8 text; send it as that.") from exc


def from_json(body: bytes) -> Tensor:
    """Lists of numbers."""
    try:
        return np.array(orjson.loads(body))
    except ValueError as exc:
        raise InvalidJSON(
            f"The body is no JSON of even lists of numbers: {exc}. The handler's input_fn can read "
            "other forms."
        ) from exc


def from_csv(body: bytes, dtype: type | None = float) -> Tensor:
    """Lines of numbers; one line alone has one axis, as NumPy reads it.

    Without a `dtype` each column has the type of its texts.
    """
    try:
        return np.genfromtxt(io.StringIO(body.decode("utf-8")), dtype, delimiter=",")
    except ValueError as exc:
        raise InvalidCSV(
            "The body is no CSV of even lines of numbers. The handler's input_fn can read other "
            "forms."
        ) from exc


def from_npy(body: bytes) -> Tensor:
    """An array of numbers; nothing in it is unpickled."""
    values: Tensor = getattr(read_array(body, 0), "values")  # noqa: B009 - of one of the payloads
    return values


DECODERS: Mapping[str, Callable[[bytes], Tensor]] = MappingProxyType(
    {JSON: from_json, CSV: from_csv, NPY: from_npy}
)


def decode(body: bytes, content_type: str) -> Tensor:
    """What the toolkit's own input_fn makes of a body. Raises a `RequestError`."""
    decoder = DECODERS.get(media_type(content_type))
    if decoder is None:
        raise UnsupportedContentType(
            f"Content-Type {content_type!r} is read by no input_fn, and without one only "
            f"{', '.join(DECODERS)} are."
        )
    return decoder(body)


def to_json(prediction: Any) -> bytes:
    """The prediction as it is."""
    option = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS
    return orjson.dumps(prediction, default=listed, option=option)


def listed(value: Any) -> Any:
    """What orjson does not know: tensors of any library, as lists."""
    for name in ("numpy", "tolist"):
        if callable(getattr(value, name, None)):
            return getattr(value, name)()
    return plain(value)


def to_csv(prediction: Any) -> bytes:
    """Lines of values."""
    stream = io.StringIO()
    np.savetxt(stream, np.atleast_1d(np.asarray(prediction)), delimiter=",", fmt="%s")
    return stream.getvalue().encode()


def to_npy(prediction: Any) -> bytes:
    """One array."""
    stream = io.BytesIO()
    np.save(stream, np.asarray(prediction), allow_pickle=False)
    return stream.getvalue()


ENCODERS: Mapping[str, Callable[[Any], bytes]] = MappingProxyType(
    {JSON: to_json, CSV: to_csv, NPY: to_npy}
)


def encode(prediction: Any, accept: str) -> Response:
    """What the toolkit's own output_fn makes of a prediction.

    Raises `NotAcceptable`, and `HandlerFailed` for what can't be written so.
    """
    liked = [JSON if kind in ("", "*/*") else kind for kind in preferences(accept)]
    kind = next((kind for kind in liked if kind in ENCODERS), None)
    if kind is None:
        raise NotAcceptable(
            f"Accept {accept!r} is written by no output_fn, and without one only "
            f"{', '.join(ENCODERS)} are."
        )
    try:
        return Response(ENCODERS[kind](prediction), kind)
    except (TypeError, ValueError) as exc:
        raise HandlerFailed(
            f"predict_fn returned {article(prediction)}, which can't be written as {kind}; define "
            "output_fn."
        ) from exc


def default_predict(model: Any) -> Callable[[Any], Any] | None:
    """How a model is run without a predict_fn: by `predict`, or by calling it."""
    found = getattr(model, "predict", model)
    return found if callable(found) else None
