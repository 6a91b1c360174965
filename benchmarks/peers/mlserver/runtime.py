"""MLServer with a runtime of one's own: pictures in base64, by the V2 protocol, in batches."""

from __future__ import annotations

import base64

import numpy as np
from mlserver import MLModel
from mlserver.types import InferenceRequest, InferenceResponse, ResponseOutput

from peers.shared import Model, encode


class Served(MLModel):  # type: ignore[misc]
    """The model, and the way of a batch of pictures."""

    async def load(self) -> bool:
        """Load the model, in the worker's process."""
        self.model = Model()
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """An answer for each picture; what `encode` makes of it, as a text."""
        pictures = [base64.b64decode(each) for each in payload.inputs[0].data.root]
        outputs = self.model.run(np.stack([self.model.pixels(each) for each in pictures]))
        answers = [text(*encode(output, self.model.declaration)) for output in outputs]
        said = ResponseOutput(
            name="answer", shape=[len(answers), 1], datatype="BYTES", data=answers
        )
        return InferenceResponse(model_name=self.name, outputs=[said])


def text(body: bytes, content_type: str) -> str:
    """An answer as JSON can hold it."""
    return body.decode() if content_type == "application/json" else base64.b64encode(body).decode()
