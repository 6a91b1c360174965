"""What `plumbline tune` measures of real servers."""

from __future__ import annotations

import io
from typing import Any

import pytest
from PIL import Image

from plumbline.client.tuning.server_trials import measure
from plumbline.client.tuning.setting_combinations import OPENVINO, TENSORFLOW, Trial

pytestmark = pytest.mark.tensorflow


def test_servers_are_started_with_each_combination_and_loaded(keras_files: Any) -> None:
    stream = io.BytesIO()
    Image.effect_noise((40, 30), 50).convert("RGB").save(stream, "PNG")
    tried = [
        Trial("auto", 2, 2, 1, default=True),
        Trial(TENSORFLOW, 1, 16, 2, batch=4),
        Trial(OPENVINO, 1, 4, 1),
    ]
    told: list[str] = []

    found = measure(keras_files.saved_model, tried, stream.getvalue(), 3, told.append)

    assert [one.trial for one in found] == tried
    assert told == [str(trial) for trial in tried]
    for one in found:
        assert one.rate > 0
        assert one.milliseconds > 0
