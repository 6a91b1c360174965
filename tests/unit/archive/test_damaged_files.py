"""Twenty changed bytes in a file of an archive: it is read, or told of in a sentence."""

from __future__ import annotations

import io
import json
import random
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import h5py
import numpy as np
import pytest

from plumbline.archive import accelerated_files, keras_files, manifest, tuning_file
from plumbline.archive.contents import read_labels, read_outputs, read_spec
from plumbline.archive.discovery import ModelFile, find_models
from plumbline.archive.json_files import MOST_VALUES, parse_json
from plumbline.archive.npz_outputs import save
from plumbline.archive.tarball import pack, unpack
from plumbline.errors import ArchiveError, PlumblineError

TIMES = 60

CONFIG = {
    "class_name": "Sequential",
    "config": {
        "name": "small",
        "layers": [
            {
                "class_name": "Dense",
                "module": "keras.layers",
                "config": {"name": "dense", "units": 3, "activation": "softmax"},
            }
        ],
    },
}


def h5(folder: Path) -> bytes:
    """A whole model as Keras 2 saved it."""
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        file.attrs["model_config"] = json.dumps(CONFIG)
        file.attrs["keras_version"] = "2.4.0"
        weights = file.create_group("model_weights/dense")
        weights.create_dataset("kernel:0", data=np.arange(30.0).reshape(10, 3), compression="gzip")
    return buffer.getvalue()


def keras(folder: Path) -> bytes:
    """A model as Keras 3 saves it."""
    buffer = io.BytesIO()
    arrays = io.BytesIO()
    np.savez(arrays, w=np.arange(30.0))
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("config.json", json.dumps(CONFIG))
        file.writestr("metadata.json", json.dumps({"keras_version": "3.5.0"}))
        file.writestr("model.weights.h5", h5(folder))
        file.writestr("more.npz", arrays.getvalue())
    return buffer.getvalue()


def npz(folder: Path) -> bytes:
    """Expected outputs."""
    save(folder / "made", {"scores": np.arange(40.0), "count": np.array(3)})
    return (folder / "made").read_bytes()


def tar(folder: Path) -> bytes:
    """A packed archive."""
    inner = folder / "inner"
    inner.mkdir()
    (inner / "plumbline.toml").write_text("task = 'raw'\n")
    pack(inner, folder / "made")
    return (folder / "made").read_bytes()


def toml(folder: Path) -> bytes:
    return b'task = "classification"\nlabels = ["a", "b"]\n[preprocess]\nsize = [8, 8]\n'


def forms(folder: Path) -> bytes:
    """What a packed archive says of its faster forms."""
    tensor = {"name": "x", "shape": [None, 8, 8, 3], "dtype": "float32", "loose": False}
    form = {"name": "f32", "network": "network.xml", "precision": "f32", "golden_agreement": 1.0}
    signature = {"inputs": [tensor], "outputs": [tensor], "method": "predict"}
    said = {"model": "1", "signature_name": "serving_default", "aliases": [], "forms": [form]}
    return json.dumps({**said, **signature}).encode()


def kept(folder: Path) -> bytes:
    """What `plumbline tune` wrote."""
    best = {"throughput": {"PLUMBLINE_WORKERS": "2"}}
    return json.dumps({"cores": 2.0, "for": "throughput", "best": best}).encode()


def promised(folder: Path) -> bytes:
    return json.dumps({"sha256": {"model.h5": "00"}}).encode()


def read_tar(root: Path) -> None:
    (root / "out").mkdir(exist_ok=True)
    unpack(root / "model.tar.gz", root / "out")


def read_keras(kind: str) -> Callable[[Path], object]:
    """Find the model by its name and its first bytes, and read it."""

    def read(root: Path) -> object:
        find_models(root, None)
        return keras_files.read(ModelFile(kind, root / f"model.{kind}"))

    return read


READERS: dict[str, tuple[str, Callable[[Path], bytes], Callable[[Path], object]]] = {
    "h5": ("model.h5", h5, read_keras("h5")),
    "keras": ("model.keras", keras, read_keras("keras")),
    "npz": ("golden.npz", npz, lambda root: read_outputs(root / "golden.npz")),
    "tar": ("model.tar.gz", tar, read_tar),
    "toml": ("plumbline.toml", toml, read_spec),
    "labels": ("l.txt", lambda _: b"cat\ndog\n" * 9, lambda root: read_labels(root, "l.txt")),
    "forms": ("accelerated/forms.json", forms, accelerated_files.read),
    "tuning": ("tuning.json", kept, lambda root: tuning_file.read(root, 2.0)),
    "manifest": ("manifest.json", promised, manifest.verify),
}


@pytest.mark.parametrize("kind", list(READERS))
def test_twenty_changed_bytes_are_read_or_told_in_one_sentence(tmp_path: Path, kind: str) -> None:
    name, make, read = READERS[kind]
    whole, chance = make(tmp_path), random.Random(kind)
    file = tmp_path / "root" / name
    file.parent.mkdir(parents=True)
    for _ in range(TIMES):
        data = bytearray(whole)
        for _ in range(20):
            data[chance.randrange(len(data))] = chance.randrange(256)
        file.write_bytes(data)
        try:
            read(tmp_path / "root")
        except PlumblineError as exc:
            first = exc.message.partition("\n\n")[0]
            assert "\n" not in first
            assert "Error" not in first


@pytest.mark.parametrize("kind", list(READERS))
@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
def test_what_breaks_off_is_read_or_told(tmp_path: Path, kind: str, share: float) -> None:
    name, make, read = READERS[kind]
    whole = make(tmp_path)
    file = tmp_path / "root" / name
    file.parent.mkdir(parents=True)
    file.write_bytes(whole[: int(share * len(whole))])
    with suppress(PlumblineError):
        read(tmp_path / "root")


@pytest.mark.parametrize("kind", ["toml", "forms", "tuning", "manifest"])
@pytest.mark.parametrize("text", ["a = " + "[" * 100_000, "[" * 100_000, '{"a":' * 100_000])
def test_what_is_nested_without_end_is_told(tmp_path: Path, kind: str, text: str) -> None:
    name, _, read = READERS[kind]
    file = tmp_path / name
    file.parent.mkdir(exist_ok=True)
    file.write_text(text)
    with pytest.raises(PlumblineError):
        read(tmp_path)


def test_json_of_very_many_values_is_refused_before_it_is_parsed() -> None:
    with pytest.raises(ArchiveError, match="holds more than 2,000,000 values"):
        parse_json(b"[" + b"[]," * MOST_VALUES + b"[]]", "config.json")


def test_an_attribute_that_is_an_array_is_not_read(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "model.h5", "w") as file:
        file.attrs["model_config"] = np.arange(1000)
    with pytest.raises(ArchiveError, match="its model_config is not a text"):
        keras_files.read(ModelFile("h5", tmp_path / "model.h5"))


def test_outputs_that_would_fill_the_memory_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "golden.npz"
    with (
        zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("scores.npy", "w", force_zip64=True) as member,
    ):
        for _ in range(520):
            member.write(bytes(1024**2))
    with pytest.raises(ArchiveError, match="which no model answers"):
        read_outputs(file)


def test_what_can_not_be_opened_is_not_called_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "golden.npz"
    file.write_bytes(npz(tmp_path))

    def full(*_: object, **__: object) -> None:
        raise OSError(24, "Too many open files", str(file))

    monkeypatch.setattr("plumbline.archive.contents.zipfile.ZipFile", full)
    with pytest.raises(ArchiveError) as caught:
        read_outputs(file)
    assert str(caught.value).endswith("golden.npz can't be read: Too many open files.")
