"""A packed model, computed by OpenVINO: when it is unloaded, its memory is free again."""

from __future__ import annotations

import json
import os
import subprocess
import urllib.request
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from kerases import pictures
from PIL import Image

from plumbline.archive.tarball import unpack
from plumbline.client import local_server
from plumbline.client.local_server import served
from plumbline.packing.assembly import Contents, GoldenPicture, pack
from process_family import family, occupied

pytestmark = pytest.mark.tensorflow

SPEC = '[model]\npath = "cnn"\n[preprocess]\nnormalize = "unit"\n'


@pytest.fixture
def packed(keras_files: Any, tmp_path: Path) -> Path:
    """A packed archive's files, with one golden picture."""
    pixels = np.random.default_rng(0).integers(0, 256, (8, 8, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "golden.png")
    expected = keras_files.predict(pixels[np.newaxis].astype(np.float32) / 255)
    golden = GoldenPicture(tmp_path / "golden.png", expected)
    pack(Contents(keras_files.saved_model, SPEC, goldens=(golden,)), tmp_path / "model.tar.gz")
    folder = tmp_path / "unpacked"
    folder.mkdir()
    unpack(tmp_path / "model.tar.gz", folder)
    return folder


def ask(method: str, url: str, document: Any = None) -> Any:
    """What a server answers, which must be a success."""
    body = None if document is None else json.dumps(document).encode()
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"}, method=method)
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.loads(answer.read())


@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="reads Linux's /proc")
def test_many_loads_of_a_real_model_leave_no_memory_and_no_process_behind(
    packed: Path, keras_files: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local_server, "subprocess", subprocess)  # no fork: a memory of its own
    expected = keras_files.predict(pictures())
    before = set(family(os.getpid()))

    def rounds(url: str, count: int) -> None:
        for _ in range(count):
            ask("POST", f"{url}/models", {"model_name": "cnn", "url": str(packed)})
            asked = {"instances": pictures().tolist()}
            found = ask("POST", f"{url}/models/cnn/invoke", asked)["predictions"]
            np.testing.assert_allclose(found, expected, atol=1e-5, rtol=0)
            ask("DELETE", f"{url}/models/cnn")

    with served(packed, {"SAGEMAKER_MULTI_MODEL": "true"}) as url:
        ask("POST", f"{url}/models", {"model_name": "cnn", "url": str(packed)})
        assert ask("GET", f"{url}/models/cnn")["engine"] == "openvino"
        ask("DELETE", f"{url}/models/cnn")
        rounds(url, 5)
        server = min(set(family(os.getpid())) - before)
        processes, memory = family(server), occupied(server)
        rounds(url, 30)
        assert family(server) == processes
        assert occupied(server) < 1.1 * memory
