"""Bad pictures and large ones leave the worker as small as it was."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from gunicorn_server import Server
from PIL import Image

from process_family import written

MEBIBYTE = 1024 * 1024

GROWTH = 10 * MEBIBYTE
"""What a worker may keep: less than two decoded pictures of 2 megapixels, of the dozens sent."""


def encoded(pixels: np.ndarray, form: str) -> bytes:
    """The pixels as a file."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, form)
    return buffer.getvalue()


def bomb(side: int = 30_000) -> bytes:
    """A PNG that is small and decodes to gigabytes."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        checksum = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum)

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", bytes(100_000)) + chunk(b"IEND", b"")


@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="reads Linux's /proc")
def test_memory_is_flat_over_bad_and_large_pictures(serve, crowd) -> None:
    server: Server = serve(PLUMBLINE_WORKERS="1", PLUMBLINE_SLOTS="2", PLUMBLINE_QUEUE="8")
    noise = np.random.default_rng(0).integers(0, 256, (1400, 1400, 3), np.uint8)
    large = encoded(noise, "JPEG")
    bad = [
        large[: len(large) // 2],
        encoded(noise[:1000, :1000], "PNG")[:-500_000],
        bomb(),
        bytes(5 * MEBIBYTE),
        b'{"instances": ' + b"[" * 100_000,
        encoded(noise[:100, :100], "GIF")[:5000],
    ]

    def send(body: bytes) -> int:
        return server.invoke(body, "application/json" if body[:1] == b"{" else "image/jpeg").status

    def kept() -> int:
        for body in bad:
            assert [sent.result() // 100 for sent in crowd(4, send, body)] == [4] * 4
        assert [sent.result() for sent in crowd(4, send, large)] == [200] * 4
        return written(worker)

    (worker,) = server.workers()
    # How many of a round met by chance, and what waits to be collected, must not matter: a leak is
    # there after every round, and larger each time.
    early, late = [kept() for _ in range(4)], [kept() for _ in range(3)]

    growth = min(late) - max(early)
    assert server.workers() == [worker], "the worker was lost"
    assert growth < GROWTH, f"{early} bytes grew to {late}"
