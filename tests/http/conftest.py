"""Clients of the app, and pictures to send."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from flask.testing import FlaskClient
from hypothesis import HealthCheck, settings
from PIL import Image
from served import Pack, Refused, Serve, Served, message_of
from werkzeug.test import TestResponse

from made_once import made_once

for profile, examples in {"fast": 50, "thorough": 500}.items():
    settings.register_profile(
        profile,
        max_examples=examples,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=[HealthCheck.too_slow],
    )
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "fast"))


@pytest.fixture(scope="session", autouse=True)
def _compiled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Let the servers of all tests compile their modules once: it is most of what a start costs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
        folder = made_once(tmp_path_factory, "compiled", lambda _: None)
        patch.setenv("PYTHONPYCACHEPREFIX", str(folder))
        yield


@pytest.fixture
def serve() -> Serve:
    """A client: `serve(engine=…, spec=…, labels=…, admission=…, max_side=…)`."""

    def make(**changes: Any) -> FlaskClient:
        parts = {"admission", "engine", "labels", "preprocess", "spec"}
        served = Served(**{name: changes[name] for name in parts & set(changes)})
        rest = {name: value for name, value in changes.items() if name not in parts}
        served.settings = replace(served.settings, **rest)
        return served.client()

    return make


@pytest.fixture
def client(serve: Serve) -> FlaskClient:
    """A client of an app at its defaults."""
    return serve()


@pytest.fixture
def picture() -> Image.Image:
    """A picture in which no pixel equals its neighbour."""
    return Image.fromarray(np.random.default_rng(5).integers(0, 256, (40, 48, 3), np.uint8))


@pytest.fixture
def packed() -> Pack:
    """A picture's bytes: `packed(image, "JPEG", quality=90)`."""

    def pack(image: Image.Image, form: str, **options: Any) -> bytes:
        stream = io.BytesIO()
        image.save(stream, form, **options)
        return stream.getvalue()

    return pack


@pytest.fixture
def refused() -> Refused:
    """The message of a refusal, once its status, code and form have been checked.

    `refused(response, 400, None)` is for tensors, whose errors have no code.
    """

    def check(response: TestResponse, status: int, code: str | None) -> str:
        assert response.status_code == status, response.text
        return message_of(response, code)

    return check
