"""LitServe with batches of up to eight, as its guide on batching shows.

The annotations are read by FastAPI while this runs, so they can't be texts.
"""

import os
from typing import Annotated, Any

import litserve
import numpy as np
from fastapi import Body, Response

from peers.shared import Model


class Served(litserve.LitAPI):  # type: ignore[misc]
    """The model, and the way of a picture."""

    def setup(self, device: str) -> None:  # noqa: ARG002
        """Load the model, in the worker's process."""
        self.model = Model()

    def decode_request(self, request: Annotated[bytes, Body()]) -> np.ndarray:
        """A picture as the model takes it."""
        return self.model.pixels(request)

    def batch(self, inputs: list[np.ndarray]) -> np.ndarray:
        """Those that wait, as one tensor."""
        return np.stack(inputs)

    def predict(self, batch: np.ndarray) -> np.ndarray:
        """The model's output."""
        return self.model.run(batch)

    def unbatch(self, output: np.ndarray) -> list[np.ndarray]:
        """One output for each."""
        return list(output)

    def encode_response(self, output: np.ndarray) -> Any:
        """The answer."""
        body, content_type = self.model.encode(output)
        return Response(content=body, media_type=content_type)


if __name__ == "__main__":
    served = Served(max_batch_size=8, batch_timeout=0.01, api_path="/invocations")
    server = litserve.LitServer(served, accelerator="cpu", workers_per_device=1, timeout=60)
    server.run(port=int(os.environ["BENCH_PORT"]), generate_client_file=False)
