"""Folder → the models in it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from plumbline.archive.discovery import ModelFile, find_models
from plumbline.errors import ArchiveError

ARCHITECTURE = json.dumps({"class_name": "Sequential", "config": {"layers": []}})


def lay(root: Path, *files: str, text: str = "") -> Path:
    for name in files:
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return root


def weights(*files: Path) -> None:
    """Files that hold weights alone."""
    import h5py

    for file in files:
        with h5py.File(file, "w") as h5:
            h5.attrs["layer_names"] = ["dense"]


def whole(*files: Path) -> None:
    """Files that hold a model and its weights."""
    import h5py

    for file in files:
        with h5py.File(file, "w") as h5:
            h5.attrs["model_config"] = ARCHITECTURE


def found(root: Path, declared: str | None = None) -> list[str]:
    """`kind path name/version` of every model, the default first."""
    return [
        f"{model.kind} {model.path.relative_to(root)} {model.name}/{model.version}"
        for model in find_models(root, declared).models
    ]


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (["saved_model.pb", "variables/variables.index"], ["saved_model . model/1"]),
        (["1/saved_model.pb"], ["saved_model 1 model/1"]),
        (["9/saved_model.pb", "10/saved_model.pb"],
         ["saved_model 10 model/10", "saved_model 9 model/9"]),
        (["bees/1568822400/saved_model.pb"], ["saved_model bees/1568822400 bees/1568822400"]),
        (["bees/2/saved_model.pb", "bees/007/saved_model.pb"],
         ["saved_model bees/007 bees/7", "saved_model bees/2 bees/2"]),
        (["cats/3/saved_model.pb", "bees/1/saved_model.pb", "bees/2/saved_model.pb"],
         ["saved_model bees/2 bees/2", "saved_model bees/1 bees/1", "saved_model cats/3 cats/3"]),
        (["export/Servo/1/saved_model.pb"], ["saved_model export/Servo/1 Servo/1"]),
        (["a/b/c/5/saved_model.pb"], ["saved_model a/b/c/5 c/5"]),
        (["1/saved_model.pb", "assets/saved_model.pb"], ["saved_model 1 model/1"]),
        (["saved_model.pb", "1/saved_model.pb"], ["saved_model . model/1"]),
        (["1/saved_model.pb", "digits.keras"], ["saved_model 1 model/1"]),
        (["saved_model/saved_model.pb", "pipeline.config"], ["saved_model saved_model model/1"]),
        (["saved_model/saved_model.pb", "1/saved_model.pb"], ["saved_model 1 model/1"]),
        (["saved_model/saved_model.pb", "digits.keras"], ["saved_model saved_model model/1"]),
        (["1/saved_model.pb", "__MACOSX/2/saved_model.pb", ".hidden/3/saved_model.pb"],
         ["saved_model 1 model/1"]),
        (["digits.keras"], ["keras digits.keras model/1"]),
        (["digits.KERAS", "._digits.keras", ".DS_Store"], ["keras digits.KERAS model/1"]),
    ],
)  # fmt: skip
def test_models_are_found_where_people_put_them(
    files: list[str], expected: list[str], tmp_path: Path
) -> None:
    assert found(lay(tmp_path, *files)) == expected


@pytest.mark.parametrize(
    ("files", "declared", "rule"),
    [
        (["1/saved_model.pb", "a.keras"], None, "a SavedModel is served before any Keras file"),
        (["a.keras"], None, "no SavedModel is there, and this is the only Keras model"),
        (["1/saved_model.pb"], "1", "plumbline.toml says so: [model] path = '1'"),
    ],
)
def test_the_rule_that_found_the_model_is_said(
    files: list[str], declared: str | None, rule: str, tmp_path: Path
) -> None:
    assert find_models(lay(tmp_path, *files), declared).rule == rule


@pytest.mark.parametrize(
    ("files", "declared", "expected"),
    [
        (["a/saved_model.pb", "b.keras"], "a", ["saved_model a model/1"]),
        (["a/saved_model.pb", "b.keras"], "b.keras", ["keras b.keras model/1"]),
        (["bees/2/saved_model.pb", "cats/1/saved_model.pb"], "bees/2",
         ["saved_model bees/2 bees/2"]),
        (["m/2/saved_model.pb", "m/1/saved_model.pb", "x.keras"], "m",
         ["saved_model m/2 m/2", "saved_model m/1 m/1"]),
    ],
)  # fmt: skip
def test_what_is_declared_is_taken(
    files: list[str], declared: str, expected: list[str], tmp_path: Path
) -> None:
    assert found(lay(tmp_path, *files), declared) == expected


def test_two_keras_files_are_an_error_that_says_how_to_choose(tmp_path: Path) -> None:
    lay(tmp_path, "cats.keras", "bees.keras")
    with pytest.raises(ArchiveError) as caught:
        find_models(tmp_path, None)
    assert caught.value.message == (
        "There are 2 models in the archive: bees.keras, cats.keras. Say which is meant in "
        'plumbline.toml, with two lines: [model] and path = "bees.keras"; or remove the others.'
    )


def test_one_version_in_two_places_is_an_error(tmp_path: Path) -> None:
    lay(tmp_path, "a/bees/1/saved_model.pb", "b/bees/01/saved_model.pb")
    with pytest.raises(ArchiveError) as caught:
        find_models(tmp_path, None)
    assert caught.value.message == (
        "Two SavedModels are both version 1 of 'bees': bees/1 and bees/01. "
        "Remove one, or rename its folder."
    )


@pytest.mark.tensorflow
class TestHDF5:
    """Discovery that looks into HDF5 files, and so needs h5py."""

    @pytest.mark.parametrize("name", ["digits.h5", "digits.hdf5", "digits.keras", "DIGITS.H5"])
    def test_a_whole_model_is_known_by_what_is_in_it(self, name: str, tmp_path: Path) -> None:
        whole(tmp_path / name)
        assert found(tmp_path) == [f"h5 {name} model/1"]

    @pytest.mark.parametrize(
        ("architecture", "files", "chosen"),
        [
            ("model.json", ["weights.h5"], "weights.h5"),
            ("model.json", ["model.weights.h5"], "model.weights.h5"),
            ("net.json", ["weights.hdf5"], "weights.hdf5"),
            ("net.json", ["net.h5", "other.h5"], "net.h5"),
            ("net.json", ["net.weights.h5", "other.weights.h5"], "net.weights.h5"),
        ],
    )
    def test_an_architecture_goes_with_its_weights(
        self, architecture: str, files: list[str], chosen: str, tmp_path: Path
    ) -> None:
        lay(tmp_path, architecture, text=ARCHITECTURE)
        weights(*(tmp_path / name for name in files))
        assert find_models(tmp_path, None).models == (
            ModelFile("json", tmp_path / architecture, tmp_path / chosen),
        )

    def test_json_that_is_no_architecture_is_left_alone(self, tmp_path: Path) -> None:
        lay(tmp_path, "labels.json", text='{"0": "cat"}')
        lay(tmp_path, "broken.json", text="{")
        lay(tmp_path, "model.json", text=ARCHITECTURE)
        weights(tmp_path / "weights.h5")
        assert found(tmp_path) == ["json model.json model/1"]

    def test_a_copy_of_the_architecture_beside_a_whole_model_is_no_second_model(
        self, tmp_path: Path
    ) -> None:
        lay(tmp_path, "model.json", text=ARCHITECTURE)
        whole(tmp_path / "model.h5")
        assert found(tmp_path) == ["h5 model.h5 model/1"]

    def test_weights_that_could_be_either_are_an_error(self, tmp_path: Path) -> None:
        lay(tmp_path, "model.json", text=ARCHITECTURE)
        weights(tmp_path / "first.h5", tmp_path / "second.h5")
        with pytest.raises(ArchiveError) as caught:
            find_models(tmp_path, None)
        assert caught.value.message == (
            "model.json is an architecture, and there are 2 files of weights: first.h5, second.h5. "
            "Keep one, or give it the name model.weights.h5."
        )

    def test_a_whole_model_and_a_keras_file_are_two_models(self, tmp_path: Path) -> None:
        whole(tmp_path / "a.h5")
        lay(tmp_path, "b.keras")
        with pytest.raises(ArchiveError, match=r"^There are 2 models.+: a\.h5, b\.keras\."):
            find_models(tmp_path, None)
