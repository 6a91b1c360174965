"""The four functions that the SageMaker inference toolkit asks for."""

from __future__ import annotations

import numpy as np

from peers.shared import Model


def model_fn(model_dir: str) -> Model:  # noqa: ARG001
    """The model, in each worker."""
    return Model()


def input_fn(body: bytes, content_type: str) -> bytes:  # noqa: ARG001
    """A picture's file."""
    return bytes(body)


def predict_fn(body: bytes, model: Model) -> tuple[bytes, str]:
    """The answer to one picture."""
    output: np.ndarray = model.run(model.pixels(body)[np.newaxis])[0]
    return model.encode(output)


def output_fn(prediction: tuple[bytes, str], accept: str) -> tuple[bytes, str]:  # noqa: ARG001
    """The answer and its content type."""
    return prediction
