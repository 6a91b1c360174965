"""Ray Serve: one replica, which reads the pictures and runs the model in batches of up to eight."""

from __future__ import annotations

import asyncio
import os
import signal

import numpy as np
import ray
from ray import serve
from starlette.requests import Request
from starlette.responses import Response

from peers.shared import Model


@serve.deployment(max_ongoing_requests=64, ray_actor_options={"num_cpus": 1})
class Served:
    """The model, and the way of a picture."""

    def __init__(self) -> None:
        self.model = Model()

    @serve.batch(max_batch_size=8, batch_wait_timeout_s=0.01)  # type: ignore[untyped-decorator]
    async def run(self, tensors: list[np.ndarray]) -> list[np.ndarray]:
        """The outputs of those that wait."""
        return list(await asyncio.to_thread(self.model.run, np.stack(tensors)))

    async def __call__(self, request: Request) -> Response:
        """One picture, one answer."""
        body = await request.body()
        tensor = await asyncio.to_thread(self.model.pixels, body)
        answer, content_type = self.model.encode(await self.run(tensor))
        return Response(answer, media_type=content_type)


if __name__ == "__main__":
    names = ("BENCH_MODEL", "PYTHONPATH", "TF_CPP_MIN_LOG_LEVEL")
    passed = {name: os.environ[name] for name in names if name in os.environ}
    ray.init(
        _temp_dir=os.environ["BENCH_TMP"],
        include_dashboard=False,
        runtime_env={"env_vars": passed},
        num_cpus=os.cpu_count(),
    )
    serve.start(http_options={"host": "127.0.0.1", "port": int(os.environ["BENCH_PORT"])})
    serve.run(Served.bind(), route_prefix="/invocations")  # type: ignore[attr-defined]
    signal.pause()
