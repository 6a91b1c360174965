"""The command that starts the server, for whoever starts it without Docker."""

from __future__ import annotations

import sys
from pathlib import Path

import plumbline

CONFIGURATION = Path(plumbline.__file__).parents[1] / "gunicorn.conf.py"


def gunicorn_command() -> list[str]:
    """Gunicorn of this Python, configured as in the container."""
    return [sys.executable, "-m", "gunicorn", "--config", str(CONFIGURATION)]
