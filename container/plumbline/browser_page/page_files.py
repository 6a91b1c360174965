"""The files of the page, read once."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import MappingProxyType

FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class PageFile:
    """One of them: its name here, and its media type."""

    name: str
    content_type: str

    @cached_property
    def body(self) -> bytes:
        """What is sent."""
        return (FOLDER / self.name).read_bytes()

    @cached_property
    def tag(self) -> str:
        """HTTP's ETag: another one for other bytes."""
        return f'"{hashlib.sha256(self.body).hexdigest()[:16]}"'


FILES: Mapping[str, PageFile] = MappingProxyType(
    {
        "/": PageFile("index.html", "text/html; charset=utf-8"),
        "/page.css": PageFile("page.css", "text/css; charset=utf-8"),
        "/page.js": PageFile("page.js", "text/javascript; charset=utf-8"),
    }
)
"""By the path at which each is asked for."""

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' blob: data:",
        "connect-src 'self'",
        "media-src blob:",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
"""What a browser may load for the page: only what comes from the same server."""

GUARDS: tuple[tuple[str, str], ...] = (
    ("Content-Security-Policy", POLICY),
    ("Permissions-Policy", "camera=(self), microphone=(), geolocation=()"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Referrer-Policy", "no-referrer"),
    ("X-Content-Type-Options", "nosniff"),
    ("Cache-Control", "no-cache"),
)
"""Fields of the header of each of them."""
