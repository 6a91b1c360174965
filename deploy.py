#!/usr/bin/env python3
"""Put a packed model behind an Amazon SageMaker endpoint: `python deploy.py --help`."""

from __future__ import annotations

import sys

if sys.version_info < (3, 11):  # noqa: UP036 - whoever has an older one should read why
    sys.exit(
        "deploy.py needs Python 3.11 or newer, and this is {}.{}: take the environment that "
        "`make venv` makes: .venv/bin/python deploy.py".format(*sys.version_info)
    )

try:
    from deployment.cli import main
    from deployment.terminal.program import script_name
except ModuleNotFoundError as missing:
    sys.exit(
        f"deploy.py needs {missing.name}, which this Python has not: {sys.executable} -m pip "
        "install boto3 click rich, or take the environment that `make venv` makes: "
        ".venv/bin/python deploy.py"
    )

if __name__ == "__main__":
    main(prog_name=script_name())
