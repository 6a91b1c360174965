"""BentoML: a service with the model, which batches adaptively, behind one that takes pictures."""

from __future__ import annotations

import asyncio
import os
from typing import Any

import bentoml
import numpy as np
from PIL.Image import Image
from starlette.responses import Response

from peers.shared import Model, declared, encode, prepared


@bentoml.service(workers=1, traffic={"timeout": 60})
class Network:
    """The model alone."""

    def __init__(self) -> None:
        self.model = Model()

    @bentoml.api(batchable=True, max_batch_size=8, max_latency_ms=60_000)  # type: ignore[untyped-decorator]
    def run(self, batch: np.ndarray) -> np.ndarray:
        """The outputs of those that wait."""
        return self.model.run(batch)


@bentoml.service(workers=os.cpu_count(), traffic={"timeout": 60})
class Pictures:
    """What is asked."""

    network = bentoml.depends(Network)

    def __init__(self) -> None:
        self.declaration = declared()

    @bentoml.api(route="/invocations")  # type: ignore[untyped-decorator]
    async def invocations(self, picture: Image, /) -> Any:
        """One picture, one answer."""
        tensor = await asyncio.to_thread(prepared, picture, self.declaration)
        outputs = await self.network.to_async.run(tensor[np.newaxis])
        body, content_type = encode(np.asarray(outputs)[0], self.declaration)
        return Response(body, media_type=content_type)
