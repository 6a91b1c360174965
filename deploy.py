#!/usr/bin/env python3
"""Put a packed model behind an Amazon SageMaker endpoint: `python deploy.py --help`."""

from __future__ import annotations

import sys

try:
    from deployment.cli import main
except ModuleNotFoundError as missing:
    sys.exit(
        f"deploy.py needs {missing.name}, which this Python has not: python -m pip install boto3 "
        "click rich, or take the environment that `make venv` makes: .venv/bin/python deploy.py"
    )

if __name__ == "__main__":
    main(prog_name="deploy.py")
