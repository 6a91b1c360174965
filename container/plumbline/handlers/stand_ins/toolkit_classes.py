"""The toolkit's classes, for handlers that subclass or call them."""

from __future__ import annotations

from typing import Any

from plumbline.archive.handler_errors import HandlerFailed
from plumbline.handlers.return_values import article
from plumbline.handlers.stand_ins.encodings import decode, encode
from plumbline.handlers.stand_ins.toolkit_errors import UnsupportedFormatError
from plumbline.handlers.stand_ins.utils import parse_accept
from plumbline.handlers.toolkit_bodies import ENCODERS, default_predict
from plumbline.vision.arrays import Tensor


class DefaultInferenceHandler:
    """What is done where a function is missing."""

    def default_model_fn(self, model_dir: str, context: Any = None) -> Any:
        """Nothing is known of the model. Raises `NotImplementedError`."""
        raise NotImplementedError(
            "define model_fn(model_dir); or leave it out, and the server loads the archive's model"
        )

    def default_input_fn(self, input_data: Any, content_type: str, context: Any = None) -> Tensor:  # noqa: ARG002
        """The array in a body."""
        return decode(input_data, content_type)

    def default_predict_fn(self, data: Any, model: Any, context: Any = None) -> Any:  # noqa: ARG002
        """What the model's `predict` returns, or the model itself. Raises `HandlerFailed`."""
        run = default_predict(model)
        if run is None:
            raise HandlerFailed(
                f"The model is {article(model)}, which has no predict and can't be called; define "
                "predict_fn(data, model)."
            )
        return run(data)

    def default_output_fn(
        self,
        prediction: Any,
        accept: str,
        context: Any = None,  # noqa: ARG002
    ) -> tuple[str | bytes, str]:
        """The body in the first form that the caller takes. Raises `UnsupportedFormatError`."""
        kind = next((kind for kind in parse_accept(accept) if kind in ENCODERS), None)
        if kind is None:
            raise UnsupportedFormatError(accept, 406)
        return encode(prediction, kind), kind


class Idle:
    """What runs the functions in the toolkit's containers; here the server does."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        """Take what the toolkit's takes."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        raise HandlerFailed(
            f"{type(self).__name__}.{name} is not here: the server itself calls model_fn, "
            "input_fn, predict_fn and output_fn, or transform_fn; define these in the module."
        )


class DefaultHandlerService(Idle):
    """May be subclassed, and is never asked."""


class Transformer(Idle):
    """May be made, and is never asked."""
