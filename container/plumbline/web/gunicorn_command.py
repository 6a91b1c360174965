"""The command that starts the server, for whoever starts it without Docker."""

from __future__ import annotations

import sys

CONFIGURATION = "python:plumbline.web.gunicorn_settings"


def gunicorn_command(host: str, port: int) -> list[str]:
    """Gunicorn of this Python, configured as in the container, at this address alone.

    Of itself it says only what is wrong.
    """
    address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    command = [sys.executable, "-m", "gunicorn", "--config", CONFIGURATION]
    return [*command, "--bind", address, "--log-level", "warning"]
