"""Files that look like models: what they are is told by their bytes, whatever their names."""

from __future__ import annotations

import io
import json
import lzma
import pickle
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from plumbline.archive import tarball
from plumbline.archive.contents import open_archive
from plumbline.errors import ArchiveError, PlumblineError
from plumbline.packing.model_sources import find

Make = Callable[[Path], Path]


def file(name: str, data: bytes | str) -> Make:
    """A file of that name in a folder."""

    def make(folder: Path) -> Path:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data if isinstance(data, bytes) else data.encode())
        return path

    return make


def zipped(name: str, *members: str, data: bytes = b"") -> Make:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for member in members:
            archive.writestr(member, data)
    return file(name, buffer.getvalue())


def hdf5(name: str, *groups: str, **attributes: object) -> Make:
    def make(folder: Path) -> Path:
        import h5py

        with h5py.File(folder / name, "w") as h5:
            for group in groups:
                h5.create_group(group)
            h5.attrs.update(attributes)
        return folder / name

    return make


def beside(make: Make, *others: Make) -> Make:
    """The first file, with the others in its folder."""

    def both(folder: Path) -> Path:
        for other in others:
            other(folder)
        return make(folder)

    return both


def saved(arrays: Callable[[io.BytesIO], None], name: str) -> Make:
    buffer = io.BytesIO()
    arrays(buffer)
    return file(name, buffer.getvalue())


TABLE = bytes(40) + bytes.fromhex("57fb808b247547db")
ONNX = b"\x08\x08\x12\x07pytorch\x1a\x052.4.0:\x80\x01\n\x05graph"
TORCH = b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n."
ERROR = '<?xml version="1.0"?>\n<Error><Code>NoSuchKey</Code></Error>'

ZOO: dict[str, tuple[Make, str, str]] = {
    "git-annex": (file("model.h5", "/annex/objects/SHA256-s12"), "git-annex", "git annex get"),
    "a web page": (file("m.keras", "\n<!DOCTYPE html><title>Sign in"), "web page", "curl -fL"),
    "an error of S3": (file("model.h5", ERROR), "error message", "curl -fL"),
    "an error of GitHub": (file("model.h5", "404: Not Found"), "error message", "curl -fL"),
    "a text": (file("model.h5", "accuracy 0.9"), "'accuracy 0.9'", "again"),
    "an empty file": (file("model.h5", b""), "is empty", "again"),
    "a download that stopped": (file("model.h5", bytes(9000)), "zeros", "again"),
    "TFLite, renamed": (file("model.h5", b"\x1c\0\0\0TFL3" + bytes(30)), "Lite", "model_fn"),
    "ONNX, renamed": (file("model.pb", ONNX), "ONNX", "onnx2tf -i model.pb -o saved_model -osd"),
    "PyTorch": (zipped("m.pt", "m/data.pkl", "m/version", data=TORCH), "PyTorch", "torch.onnx"),
    "PyTorch, renamed": (zipped("m.keras", "m/data.pkl", data=TORCH), "PyTorch", "torch.onnx"),
    "PyTorch of 2018": (
        file("model.bin", b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02."),
        "PyTorch",
        "torch.onnx",
    ),
    "Ultralytics": (
        zipped("best.pt", "best/data.pkl", data=b"\x80\x02cultralytics.nn.tasks\n"),
        "Ultralytics",
        "yolo export model=best.pt format=saved_model",
    ),
    "safetensors": (
        file("model.h5", (40).to_bytes(8, "little") + b'{"w":{}}'),
        "safetensors",
        "model.export('saved_model')",
    ),
    "a pickle, renamed": (
        file("model.h5", pickle.dumps({"w": [1]})),
        "pickle",
        "pickle.load(open('model.h5', 'rb')).save('model.keras')",
    ),
    "a pickle of Python 2": (file("m.pkl", pickle.dumps([1], 0)), "pickle", "model_fn"),
    "arrays": (saved(lambda b: np.savez(b, w=np.ones(2)), "w.npz"), "NumPy", "set_weights"),
    "an array, renamed": (saved(lambda b: np.save(b, np.ones(2)), "w.h5"), "NumPy", "set_weights"),
    "a checkpoint": (file("ckpt-3.index", TABLE), "checkpoint", "model.load_weights('ckpt-3')"),
    "a part of one": (
        file("m.ckpt.data-00000-of-00001", b"\1\2"),
        "checkpoint",
        "model.load_weights('m.ckpt')",
    ),
    "one of TensorFlow 1": (
        file("model.ckpt-9.meta", b"\n\3"),
        "checkpoint",
        "import_meta_graph('model.ckpt-9.meta')",
    ),
    "one of the Object Detection API": (
        beside(file("ckpt-0.index", TABLE), file("pipeline.config", "model {}")),
        "checkpoint",
        "exporter_main_v2.py",
    ),
    "TensorFlow.js": (
        file("model.json", '{"format": "layers-model", "modelTopology": {}}'),
        "TensorFlow.js",
        "--output_format keras model.json model.h5",
    ),
    "a graph of TensorFlow.js": (
        file("model.json", '{"format": "graph-model", "modelTopology": {}}'),
        "TensorFlow.js",
        "tfjs_graph_converter . saved_model",
    ),
    "weights of Keras 3": (
        hdf5("m.weights.h5", "layers", "vars"),
        "weights without a model",
        "model.load_weights('m.weights.h5')",
    ),
    "weights of Keras 2": (
        hdf5("w.h5", layer_names=["a"]),
        "weights",
        "model.load_weights('w.h5')",
    ),
    "a table of pandas": (hdf5("data.h5", "df"), "neither a model", "model.save"),
    "a zip of a SavedModel": (zipped("m.zip", "m/saved_model.pb"), "SavedModel", "unzip m.zip"),
    "Teachable Machine's zip": (
        zipped("converted_keras.zip", "keras_model.h5", "labels.txt"),
        "Keras model",
        "plumbline pack keras_model.h5 --labels labels.txt",
    ),
    "YAML": (file("model.yaml", "backend: x\nclass_name: Model\n"), "YAML", "model_from_yaml"),
    "OpenVINO": (file("m.xml", '<?xml version="1.0"?>\n<net name="m">'), "OpenVINO", "pack"),
    "Hugging Face": (
        beside(hdf5("tf_model.h5", layer_names=["a"]), file("config.json", "{}")),
        "Hugging Face",
        "from_pretrained('.')",
    ),
    "Hugging Face, by PyTorch": (
        beside(file("config.json", "{}"), file("pytorch_model.bin", "PK")),
        "Hugging Face",
        "from_pretrained('.', from_pt=True)",
    ),
    "a preset of KerasHub": (
        beside(
            hdf5("model.weights.h5", "layers"),
            *(file(name, "{}") for name in ("config.json", "metadata.json", "task.json")),
        ),
        "KerasHub",
        "from_preset('.')",
    ),
}

NEED_H5PY = ("weights", "table", "Hugging", "a preset")

EACH = pytest.mark.parametrize(
    ("make", "what", "way_out"),
    [
        pytest.param(
            *ZOO[name], id=name, marks=[pytest.mark.tensorflow] * name.startswith(NEED_H5PY)
        )
        for name in ZOO
    ],
)


@EACH
def test_pack_and_serve_and_inspect_say_what_a_file_is_and_what_converts_it(
    make: Make, what: str, way_out: str, tmp_path: Path
) -> None:
    path = make(tmp_path)
    for refused in (lambda: find(path, None), lambda: tarball.unpack(path, tmp_path / "out")):
        with pytest.raises(PlumblineError) as caught:
            refused()
        sentence = caught.value.message.partition("\n")[0]
        assert sentence.startswith(str(path))
        assert what in sentence
        assert way_out in sentence.replace(f"{tmp_path}/", "").replace(str(tmp_path), ".")


@EACH
def test_the_same_is_said_of_it_in_a_folder_or_an_archive(
    make: Make, what: str, way_out: str, tmp_path: Path
) -> None:
    make(tmp_path)
    with pytest.raises(ArchiveError) as caught:
        open_archive(tmp_path)
    sentence = caught.value.message.partition("\n")[0]
    assert sentence.startswith("There is no model in the archive. ")
    assert what in sentence
    assert way_out in sentence


@pytest.mark.parametrize("name", ["saved_model.pb", "variables/variables.index"])
def test_a_web_page_in_the_place_of_a_part_of_a_model(name: str, tmp_path: Path) -> None:
    file("1/saved_model.pb", b"\x08\x01")(tmp_path)
    file(f"1/{name}", "<html>Not found")(tmp_path)
    with pytest.raises(ArchiveError, match=rf"^1/{name} is a web page"):
        open_archive(tmp_path)


def test_what_is_no_model_in_code_is_not_spoken_of(tmp_path: Path) -> None:
    file("code/inference.py", "x = 1")(tmp_path)
    file("code/helper.onnx", ONNX)(tmp_path)
    with pytest.raises(ArchiveError, match="None of its files is one"):
        open_archive(tmp_path)


def test_a_keras_file_is_packed_and_not_served(tmp_path: Path) -> None:
    model = zipped("m.keras", "config.json", "metadata.json")(tmp_path)
    with pytest.raises(ArchiveError, match=r"plumbline pack .*m\.keras --out model\.tar\.gz"):
        tarball.unpack(model, tmp_path / "out")


def test_an_archive_is_served_and_not_packed(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "model.tar.gz", "w:gz") as tar:
        tar.addfile(tarfile.TarInfo("1/saved_model.pb"), io.BytesIO())
    with pytest.raises(PlumblineError, match=r"plumbline serve .*model\.tar\.gz"):
        find(tmp_path / "model.tar.gz", None)


def test_a_part_of_a_saved_model_names_the_folder(tmp_path: Path) -> None:
    path = file("1/saved_model.pb", b"\x08\x01\x12\x00")(tmp_path)
    with pytest.raises(PlumblineError, match=f"plumbline pack {path.parent}"):
        find(path, None)


def test_xz_archives_of_several_streams_are_read(tmp_path: Path) -> None:
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w") as tar:
        for name in ("b", "a"):
            member = tarfile.TarInfo(name)
            member.size = 300_000
            tar.addfile(member, io.BytesIO(name.encode() * 300_000))
    half = len(plain.getvalue()) // 2
    parts = plain.getvalue()[:half], plain.getvalue()[half:]
    (tmp_path / "m.tar.xz").write_bytes(b"\0\0\0\0".join(map(lzma.compress, parts)))
    tarball.unpack(tmp_path / "m.tar.xz", tmp_path / "out")
    assert (tmp_path / "out/a").read_bytes() == b"a" * 300_000


def test_an_xz_archive_that_asks_for_much_memory_is_refused(tmp_path: Path) -> None:
    window = [{"id": lzma.FILTER_LZMA2, "preset": 0, "dict_size": 1 << 28}]
    (tmp_path / "m.tar.xz").write_bytes(lzma.compress(bytes(10240), filters=window))
    with pytest.raises(ArchiveError, match=r"134,217,728 bytes of memory.*tar -czf"):
        tarball.unpack(tmp_path / "m.tar.xz", tmp_path / "out")


def test_a_json_of_something_else_is_no_model(tmp_path: Path) -> None:
    file("notes.json", json.dumps({"a": 1}))(tmp_path)
    with pytest.raises(ArchiveError, match="None of its files is one"):
        open_archive(tmp_path)
