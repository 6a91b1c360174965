"""Archives as people really pack them by mistake: each gets a screen that begins with why."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from plumbline.archive.contents import open_archive
from plumbline.errors import ArchiveError

LFS = (
    "version https://git-lfs.github.com/spec/v1\n"
    "oid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\n"
    "size 12345\n"
)

ARCHITECTURE = json.dumps({"class_name": "Sequential", "config": {"layers": []}})

NONE = "There is no model in the archive. "

HANDLER = (
    "Or serve it as it is, by a handler of your own whose model_fn loads it (docs/handlers.md)."
)


def write(root: Path, name: str, data: bytes | str = b"\x08\x01") -> None:
    file = root / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data if isinstance(data, bytes) else data.encode())


def weights(root: Path, name: str) -> None:
    import h5py

    with h5py.File(root / name, "w") as h5:
        h5.attrs["layer_names"] = ["dense"]


def empty(root: Path) -> None:
    """Tar of the folder before training had written to it, with what a Mac adds."""
    write(root, ".DS_Store")
    write(root, "__MACOSX/._model")


def saved_model_too_deep(root: Path) -> None:
    """Tar czf model.tar.gz export/."""
    write(root, "my-model/saved_model.pb")
    write(root, "my-model/variables/variables.index")


def keras_too_deep(root: Path) -> None:
    write(root, "model/digits.keras")


def spec_too_deep(root: Path) -> None:
    """The whole archive in a folder; the SavedModel alone would be found, without its spec."""
    write(root, "digits/plumbline.toml", 'task = "classification"\n')
    write(root, "digits/1/saved_model.pb")


def checkpoint(root: Path) -> None:
    """ModelCheckpoint(save_weights_only=True)."""
    write(root, "checkpoint", 'model_checkpoint_path: "cp-0005.ckpt"')
    write(root, "cp-0005.ckpt.index")
    write(root, "cp-0005.ckpt.data-00000-of-00001")


def variables_alone(root: Path) -> None:
    write(root, "variables/variables.index")
    write(root, "variables/variables.data-00000-of-00001")


def weights_alone(root: Path) -> None:
    weights(root, "weights.h5")


def architecture_alone(root: Path) -> None:
    write(root, "model.json", ARCHITECTURE)


def not_hdf5(root: Path) -> None:
    write(root, "model.h5", "<html>404 Not Found</html>")


def lfs_keras(root: Path) -> None:
    write(root, "model.keras", LFS)


def lfs_weights(root: Path) -> None:
    """Only what is large was in Git LFS."""
    write(root, "1/saved_model.pb")
    write(root, "1/variables/variables.index")
    write(root, "1/variables/variables.data-00000-of-00001", LFS)


def no_variables(root: Path) -> None:
    """Aws s3 cp saved_model.pb, without --recursive."""
    write(root, "1/saved_model.pb", b"\x12\x0b\n\x01w\x12\x0bVarHandleOp")


def no_data(root: Path) -> None:
    write(root, "1/saved_model.pb")
    write(root, "1/variables/variables.index")


def packed_twice(root: Path) -> None:
    with tarfile.open(root / "model.tar.gz", "w:gz") as tar:
        tar.addfile(tarfile.TarInfo("1/saved_model.pb"), io.BytesIO())


def frozen(root: Path) -> None:
    write(root, "frozen_inference_graph.pb")


def tflite(root: Path) -> None:
    write(root, "mobilenet.tflite")


def onnx(root: Path) -> None:
    write(root, "model.onnx")


def pytorch(root: Path) -> None:
    write(root, "model.pth")


def pickle(root: Path) -> None:
    write(root, "model.pkl")


def code_alone(root: Path) -> None:
    write(root, "code/inference.py", "def handler(data, context): ...")


def names_nothing(root: Path) -> None:
    write(root, "plumbline.toml", '[model]\npath = "saved_model"\n')
    write(root, "digits.keras")


def names_no_model(root: Path) -> None:
    write(root, "plumbline.toml", '[model]\npath = "notes.txt"\n')
    write(root, "notes.txt")


ZOO: dict[Callable[[Path], None], str] = {
    empty: NONE + "It is empty: was it packed before the model was written?",
    saved_model_too_deep: NONE
    + "Everything lies a folder too deep, in my-model/; pack what is in it, not the folder: "
    "tar -C my-model -czf model.tar.gz .",
    keras_too_deep: NONE
    + "Everything lies a folder too deep, in model/; pack what is in it, not the folder: "
    "tar -C model -czf model.tar.gz .",
    spec_too_deep: "plumbline.toml is not at the top of the archive. Everything lies a folder too "
    "deep, in digits/; pack what is in it, not the folder: tar -C digits -czf model.tar.gz .",
    checkpoint: NONE
    + "checkpoint names a checkpoint: weights, without the model that they belong to. In the "
    "training code: model.load_weights('cp-0005.ckpt'), or "
    "tf.train.Checkpoint(model=model).restore('cp-0005.ckpt').expect_partial() as it was saved, "
    "then model.export('saved_model').",
    variables_alone: NONE
    + "variables/ holds the weights of a SavedModel, but its saved_model.pb is missing: pack the "
    "whole folder that export() or save() wrote.",
    weights_alone: NONE
    + "weights.h5 holds weights without a model. Put the architecture beside it (model.to_json() "
    "as model.json; plumbline pack model.json weights.h5), or build the model with the code that "
    "it was trained by: model.load_weights('weights.h5'), then model.save('model.keras').",
    architecture_alone: NONE + "model.json is an architecture without weights: put them beside it "
    "(model.save_weights('model.weights.h5')).",
    not_hdf5: NONE
    + "model.h5 is a web page or an error message, which a server sent instead of the file (a "
    "login, a confirmation, or not found). Download it again, with curl -fL -o FILE URL, which "
    "fails where the server does, and look at it with head -c 300 FILE.",
    lfs_keras: NONE
    + "model.keras is a Git LFS pointer, not the file itself: run git lfs pull, pack again.",
    lfs_weights: "1/variables/variables.data-00000-of-00001 is a Git LFS pointer, not the file "
    "itself: run git lfs pull, pack again.",
    no_variables: "The SavedModel 1/ is not whole: its saved_model.pb has no "
    "variables/variables.index beside it, and variables/ holds the weights; pack the whole folder "
    "that export() or save() wrote, not saved_model.pb alone.",
    no_data: "The SavedModel 1/ is not whole: its variables/ has an index, but no variables.data-… "
    "files; pack the whole folder that export() or save() wrote.",
    packed_twice: NONE
    + "There is an archive inside the archive, model.tar.gz: unpack it, and pack what is in it.",
    frozen: NONE
    + "frozen_inference_graph.pb is a frozen graph of TensorFlow 1, not a SavedModel: it does not "
    "say which tensors are its inputs and outputs. Read it with tf.compat.v1.GraphDef.FromString, "
    "import it with tf.import_graph_def, and export it with "
    "tf.compat.v1.saved_model.simple_save(session, folder, {'image': input tensor}, "
    "{'scores': output tensor}).",
    tflite: NONE
    + "mobilenet.tflite is a TensorFlow Lite model, which nothing converts back; pack the Keras "
    "model or the SavedModel that it was made of. " + HANDLER,
    onnx: NONE
    + "model.onnx is an ONNX model; pack the Keras model or the SavedModel that it was exported "
    'from, or make a SavedModel of it: pip install "onnx2tf<2", then onnx2tf -i model.onnx -o '
    "saved_model -osd, then plumbline pack saved_model. " + HANDLER,
    pytorch: NONE
    + "model.pth is a PyTorch model; Plumbline serves Keras and TensorFlow models. In PyTorch, "
    "write it as ONNX: pip install onnx onnxscript, then torch.onnx.export(model.eval(), "
    "torch.zeros(1, 3, 224, 224), 'model.onnx'); "
    'then make a SavedModel of that: pip install "onnx2tf<2", then onnx2tf -i model.onnx -o '
    "saved_model -osd, then plumbline pack saved_model.",
    pickle: NONE
    + "model.pkl is a Python pickle, which is code and never opened. If you trust it, open it "
    'where it was made, and save the model: python -c "import pickle; '
    "pickle.load(open('model.pkl', 'rb')).save('model.keras')\". If it is not of Keras, serve it "
    "by a handler of your own whose model_fn loads it (docs/handlers.md).",
    code_alone: NONE + "None of its files is one.",
    names_nothing: "plumbline.toml: [model] path = 'saved_model', but nothing of that name is in "
    "the archive.",
    names_no_model: "plumbline.toml: [model] path = 'notes.txt', but that is not a model: "
    "a SavedModel is a folder with a saved_model.pb, a Keras file ends in .keras, .h5, .hdf5, "
    ".json, and a .json needs its weights (.h5) beside it.",
}

NEED_H5PY = {weights_alone}


@pytest.mark.parametrize(
    "mistake",
    [
        pytest.param(make, id=make.__name__, marks=[pytest.mark.tensorflow] * (make in NEED_H5PY))
        for make in ZOO
    ],
)
def test_a_mistake_is_named_first_and_all_fits_on_a_screen(
    mistake: Callable[[Path], None], tmp_path: Path
) -> None:
    mistake(tmp_path)
    with pytest.raises(ArchiveError) as caught:
        open_archive(tmp_path)
    sentence, there, expected = caught.value.message.split("\n\n")
    assert sentence == ZOO[mistake]
    assert there.startswith("What is there")
    assert expected.startswith("What was expected")
    lines = [*there.splitlines(), *expected.splitlines()]
    assert len(lines) + len(sentence) // 80 + 3 <= 30
    assert max(map(len, lines)) <= 80


def test_the_files_are_listed_with_their_sizes(tmp_path: Path) -> None:
    write(tmp_path, "notes.txt", bytes(2048))
    write(tmp_path, "a/b.csv", b"1")
    with pytest.raises(ArchiveError) as caught:
        open_archive(tmp_path)
    assert caught.value.message.split("\n\n")[1].splitlines() == [
        "What is there (2 files, 2.0 KB)",
        "  a/b.csv                                                   1 bytes",
        "  notes.txt                                                  2.0 KB",
    ]


def test_a_long_listing_and_long_names_are_cut(tmp_path: Path) -> None:
    for number in range(40):
        write(tmp_path, f"{number:02}-{'x' * 100}.txt")
    with pytest.raises(ArchiveError) as caught:
        open_archive(tmp_path)
    lines = caught.value.message.split("\n\n")[1].splitlines()
    assert len(lines) == 16
    assert lines[-1] == "  … and 26 more"
    assert max(map(len, lines)) <= 80


def test_a_saved_model_without_variables_of_its_own_is_whole(tmp_path: Path) -> None:
    write(tmp_path, "1/saved_model.pb", b"\x08\x01")
    assert open_archive(tmp_path).model.path == tmp_path / "1"
