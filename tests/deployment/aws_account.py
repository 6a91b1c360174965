"""The account that the tests deploy into, and what they call things in it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from click.testing import Result

REGION = "eu-central-1"

ACCOUNT = "123456789012"

ROLE = f"arn:aws:iam::{ACCOUNT}:role/my-sagemaker-role"

IMAGE = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/plumbline@sha256:{'0' * 64}"

BUCKET = f"sagemaker-{REGION}-{ACCOUNT}"

Deploy = Callable[..., Result]

Account = Callable[[str], Any]
"""boto3's client of a service."""
