"""Models that can't be loaded: each error says what is wrong and what to do."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from plumbline.errors import ModelError

pytestmark = pytest.mark.tensorflow


def test_a_signature_that_is_not_there_lists_those_that_are(load, module) -> None:
    with pytest.raises(ModelError, match=r"no signature 'predict'.*'brightest'.*Set.*signature"):
        load(module, "predict")


def test_a_saved_model_without_variables(load, keras_files, tmp_path: Path) -> None:
    folder = tmp_path / "cnn"
    shutil.copytree(keras_files.saved_model, folder, ignore=shutil.ignore_patterns("variables"))

    with pytest.raises(ModelError, match="variables"):
        load(folder)


def test_a_saved_model_that_breaks_off(load, keras_files, tmp_path: Path) -> None:
    folder = tmp_path / "cnn"
    shutil.copytree(keras_files.saved_model, folder)
    graph = folder / "saved_model.pb"
    graph.write_bytes(graph.read_bytes()[:1000])

    with pytest.raises(ModelError, match="cnn"):
        load(folder)


@pytest.mark.parametrize("kept", [0, 1000])
def test_a_keras_file_that_breaks_off(load, keras_files, tmp_path: Path, kept: int) -> None:
    file = tmp_path / "cut.keras"
    file.write_bytes(keras_files.keras.read_bytes()[:kept])

    with pytest.raises(ModelError, match=r"cut\.keras"):
        load(file)


def test_code_inside_a_keras_file_is_refused(load, tmp_path: Path) -> None:
    import keras

    model = keras.Sequential([keras.Input((2,)), keras.layers.Lambda(lambda row: row * 2)])
    model.save(tmp_path / "code.keras")

    with pytest.raises(ModelError, match="Lambda"):
        load(tmp_path / "code.keras")
