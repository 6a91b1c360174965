"""What a function of the inference toolkit's dialect gets as its `context`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class ToolkitContext:
    """As that of SageMaker's model server, with one request in its batch."""

    def __init__(self, model_dir: str, headers: Mapping[str, str] | None = None) -> None:
        self.system_properties: dict[str, Any] = {"model_dir": model_dir, "gpu_id": None}
        self.manifest: dict[str, Any] = {}
        self.request_processor = [self]
        self.content_type: str | None = None
        """The answer's type, where a function sets it."""
        self.status: tuple[int, str] = (200, "")
        """The answer's status and its phrase, where a function sets them."""
        self._headers = {name.lower(): text for name, text in (headers or {}).items()}
        self._given = dict(headers or {})

    def get_request_properties(self) -> dict[str, str]:
        """The request's headers."""
        return dict(self._given)

    def get_request_property(self, key: str) -> str | None:
        """One of them; `key` in any case."""
        return self._headers.get(key.lower())

    def get_all_request_header(self, idx: int = 0) -> dict[str, str]:  # noqa: ARG002
        """The request's headers."""
        return dict(self._given)

    def get_request_header(self, idx: int, key: str) -> str | None:  # noqa: ARG002
        """One of them."""
        return self.get_request_property(key)

    def get_request_id(self, idx: int = 0) -> str | None:  # noqa: ARG002
        """What the caller names its request."""
        return self.get_request_property("X-Amzn-SageMaker-Inference-Id")

    def set_response_content_type(self, idx: int, value: str) -> None:  # noqa: ARG002
        """Say of what type the answer is."""
        self.content_type = value

    def set_response_status(self, code: int = 200, phrase: str = "", idx: int = 0) -> None:  # noqa: ARG002
        """Say which status the answer has."""
        self.status = (code, phrase)
