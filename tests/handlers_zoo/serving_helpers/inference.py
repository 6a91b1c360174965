"""Modules beside it, a package in lib/, and a dataclass whose annotations are texts."""

from __future__ import annotations

import json
from dataclasses import dataclass

from helper import scaled
from shapes import SIDE


@dataclass
class Job:
    level: float
    side: int = SIDE


def input_handler(data, context):
    import late_helper

    job = Job(scaled(data.read()))
    return json.dumps({"instances": late_helper.picture(job.level, job.side)})


def output_handler(response, context):
    return response.content, "application/json"
