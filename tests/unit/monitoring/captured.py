"""Lines as SageMaker's data capture writes them: the format that its guide describes."""

from __future__ import annotations

import base64
import io
import json
from typing import Any

from PIL import Image


def picture(level: int, size: tuple[int, int] = (9, 7)) -> bytes:
    """A picture of one gray."""
    stream = io.BytesIO()
    Image.new("RGB", size, (level, level, level)).save(stream, "PNG")
    return stream.getvalue()


def side(data: bytes, content_type: str, mode: str, encoding: str) -> dict[str, Any]:
    """The request or the answer."""
    text = base64.b64encode(data).decode() if encoding == "BASE64" else data.decode()
    return {
        "observedContentType": content_type,
        "mode": mode,
        "data": text,
        "encoding": encoding,
    }


def line(
    request: bytes,
    answer: bytes,
    answer_type: str = "application/json",
    encoding: str = "JSON",
    request_type: str = "image/png",
) -> str:
    """One captured request."""
    return json.dumps(
        {
            "captureData": {
                "endpointInput": side(request, request_type, "INPUT", "BASE64"),
                "endpointOutput": side(answer, answer_type, "OUTPUT", encoding),
            },
            "eventMetadata": {
                "eventId": "6a0f3a2c-7a4b-4f6e-9a53-b4f1f8a1a5d3",
                "inferenceTime": "2026-11-29T10:00:00Z",
            },
            "eventVersion": "0",
        }
    )
