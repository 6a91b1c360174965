"""The formats of files that are no models here: how they are told, and what converts them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

EXPORT = (
    "Where it was trained, model.export('saved_model') writes a SavedModel, which can be packed."
)

HANDLER = (
    "Or serve it as it is, by a handler of your own whose model_fn loads it (docs/handlers.md)."
)

COPY_ANEW = "Get the file again from where it was saved, and check its size."

POINTERS: Mapping[bytes, str] = MappingProxyType(
    {
        b"version https://git-lfs.github.com/spec/": "is a Git LFS pointer, not the file itself: "
        "run git lfs pull, pack again.",
        b"version https://hawser.github.com/spec/": "is a Git LFS pointer, not the file itself: "
        "run git lfs pull, pack again.",
        b"/annex/objects/": "is a git-annex pointer, not the file itself: run git annex get ., "
        "pack again.",
        b"../.git/annex/objects/": "is a git-annex pointer, not the file itself: run git annex get "
        "., pack again.",
    }
)
"""What tools leave in the place of large files."""

DVC = "is a pointer of DVC, not the file itself: run dvc pull, pack again."

ERROR_DOCUMENTS = (
    *("<!doctype html", "<html", "<?xml", "<error>", "<head", "<!--", '{"error"', "access denied"),
    *("404", "403", "not found", "entry not found", "repository not found", "invalid username"),
)

WEB_PAGE = (
    "is a web page or an error message, which a server sent instead of the file (a login, a "
    "confirmation, or not found). Download it again, with curl -fL -o FILE URL, which fails where "
    "the server does, and look at it with head -c 300 FILE."
)

EMPTY = f"is empty. {COPY_ANEW}"

ZEROS = (
    f"holds nothing but zeros at its beginning: the copy of it never came to an end. {COPY_ANEW}"
)

MODEL_SUFFIXES = (
    *(".keras", ".h5", ".hdf5", ".pb", ".tflite", ".onnx", ".pt", ".pth", ".index", ".ckpt"),
    *(".safetensors", ".npz", ".npy", ".bin", ".pkl", ".pickle"),
)
"""Names under which nothing but a model, or a part of one, is expected."""

COPIED_SUFFIXES = (*MODEL_SUFFIXES, ".json", ".gz", ".tgz", ".tar", ".bz2", ".xz", ".zip", ".data")
"""What people download."""

TABLE_END = bytes.fromhex("57fb808b247547db")
"""How the index of a checkpoint ends: it is a table of LevelDB's."""

SHARD = r"\.data-\d{5}-of-\d{5}"

OLD_TORCH = bytes.fromhex("8a0a6cfc9c46f9206aa850192e")
"""The number that PyTorch wrote first until 2020."""

ONNX_BEGINS = re.compile(rb"\x08[\x01-\x20](?:[\x12\x1a\x22\x32].[ -~]*|\x28.)+\x3a", re.DOTALL)
"""How a model of ONNX begins: its version, names and a number, and the graph."""

OLD_PICKLE = re.compile(r"(\(|c)?(c[a-z_.0-9]+\n\w+\n|\(?[dl]p0\n)")
"""How pickles of Python 2 begin, which are text."""

TFLITE = (
    "is a TensorFlow Lite model, which nothing converts back; pack the Keras model or the "
    f"SavedModel that it was made of. {HANDLER}"
)

ONNX = (
    "is an ONNX model; pack the Keras model or the SavedModel that it was exported from, or make a "
    'SavedModel of it: pip install "onnx2tf<2", then onnx2tf -i {name} -o saved_model -osd, then '
    f"plumbline pack saved_model. {HANDLER}"
)

PYTORCH = (
    "is a PyTorch model; Plumbline serves Keras and TensorFlow models. In PyTorch, write it as "
    "ONNX: pip install onnx onnxscript, then torch.onnx.export(model.eval(), "
    "torch.zeros(1, 3, 224, 224), 'model.onnx'); then make a SavedModel of that: "
    'pip install "onnx2tf<2", then onnx2tf -i model.onnx -o saved_model -osd, '
    "then plumbline pack saved_model."
)

YOLO = (
    "is a PyTorch model of Ultralytics; Plumbline serves Keras and TensorFlow models. "
    "yolo export model={name} format=saved_model writes one, which can be packed with "
    '[detection] format = "yolo" (docs/archive.md).'
)

PICKLE = (
    "is a Python pickle, which is code and never opened. If you trust it, open it where it was "
    "made, and save the model: python -c \"import pickle; pickle.load(open('{name}', "
    "'rb')).save('model.keras')\". If it is not of Keras, serve it by a handler of your own whose "
    "model_fn loads it (docs/handlers.md)."
)

ARRAYS = (
    "holds arrays of NumPy, without the model that they belong to. Build the model with the code "
    f"that they were saved by, give it the arrays with model.set_weights([...]). {EXPORT}"
)

SAFETENSORS = (
    "holds weights in safetensors, without the model that they belong to. Load them with the "
    "library that saved them, and write a SavedModel there; of Keras, model.export('saved_model')."
)

WEIGHTS = (
    "holds weights without a model. Put the architecture beside it (model.to_json() as model.json; "
    "plumbline pack model.json {name}), or build the model with the code that it was trained by: "
    "model.load_weights('{name}'), then model.save('model.keras')."
)

MATLAB = (
    "is a file of MATLAB's; export the network there with exportNetworkToTensorFlow(net, "
    "'package'), and write it with package.load_model().export('saved_model') in Python."
)

OTHER_HDF5 = (
    "is HDF5, but neither a model nor the weights of one, as Keras saves them. "
    "model.save('model.keras') writes what can be packed."
)

TFJS_LAYERS = (
    "is a TensorFlow.js model. Convert it back: pip install tensorflowjs, then "
    "tensorflowjs_converter --input_format tfjs_layers_model --output_format keras {name} "
    "model.h5, then plumbline pack model.h5. Or pack the Keras model that it was made of."
)

TFJS_GRAPH = (
    "is a TensorFlow.js graph model. Convert it back: pip install tfjs-graph-converter, then "
    "tfjs_graph_converter {folder} saved_model --output_format tf_saved_model, then "
    "plumbline pack saved_model. Or pack the SavedModel that it was made of."
)

YAML = (
    "is an architecture as YAML, which Keras reads no more. With the Keras that wrote it: "
    "open('model.json', 'w').write(keras.models.model_from_yaml(open('{name}').read()).to_json()), "
    "then plumbline pack model.json weights.h5."
)

OPENVINO = (
    "is a network of OpenVINO's; pack the Keras model or the SavedModel that it was converted "
    "from: plumbline pack makes OpenVINO's forms itself."
)

HUGGING_FACE = (
    'is of a model of Hugging Face\'s. Let it write a SavedModel: pip install "transformers<5" '
    "tf-keras, then TFAutoModelForImageClassification.from_pretrained('{folder}')"
    ".save_pretrained('exported', saved_model=True), then "
    "plumbline pack exported/saved_model/1."
)

HUGGING_FACE_TORCH = HUGGING_FACE.replace("tf-keras", "tf-keras torch").replace(
    "('{folder}')", "('{folder}', from_pt=True)"
)
"""Of weights that PyTorch alone reads."""

PRESET = (
    "is of a preset of KerasHub. Load it with the class that it was saved by, and export it: "
    "keras_hub.models.ImageClassifier.from_preset('{folder}').export('saved_model'), then "
    "plumbline pack saved_model."
)

UNZIPPED = (
    "is of a .keras file that was unpacked. Pack it up again: "
    "(cd {folder} && zip -0 -r model.keras config.json metadata.json model.weights.h5), then "
    "plumbline pack {folder}/model.keras."
)

FOLDERS: tuple[tuple[tuple[str, ...], str], ...] = (
    (("metadata.json", "task.json"), PRESET),
    (("metadata.json", "preprocessor.json"), PRESET),
    (("metadata.json", "model.weights.h5"), UNZIPPED),
    (("tf_model.h5",), HUGGING_FACE),
    (("model.safetensors",), HUGGING_FACE),
    (("pytorch_model.bin",), HUGGING_FACE_TORCH),
)
"""Of a config.json, by what lies beside it."""

ZIPPED: Mapping[str, str] = MappingProxyType(
    {
        "saved_model.pb": "is a zip of a SavedModel: unzip {name}, then plumbline pack the folder "
        "with saved_model.pb in it.",
        "MANIFEST.json": "is an archive of TorchServe's. " + PYTORCH.partition(". ")[2],
        "keras_model.h5": "is a zip with a Keras model in it: unzip {name}, then "
        "plumbline pack keras_model.h5 --labels labels.txt.",
        "weights.bin": "is a zip of a TensorFlow.js model: unzip {name}, then "
        "pip install tensorflowjs and tensorflowjs_converter --input_format tfjs_layers_model "
        "--output_format keras model.json model.h5, then plumbline pack model.h5.",
    }
)
"""By a file that the zip holds."""

MAGIC: Mapping[tuple[int, bytes], str] = MappingProxyType(
    {
        (4, b"TFL3"): TFLITE,
        (0, b"\x93NUMPY"): ARRAYS,
        (6, b'\0\0{"'): SAFETENSORS,
        (0, b"GGUF"): "is a language model in GGUF, which holds no image model.",
        (
            0,
            b"ftrt",
        ): "is an engine of TensorRT, which runs on one kind of GPU alone; pack the model "
        "that it was built from.",
        (0, b"Rar!"): "is a RAR archive: unpack it, and pack what is in it.",
        (0, b"7z\xbc\xaf\x27\x1c"): "is a 7-Zip archive: unpack it, and pack what is in it.",
    }
)
"""By some bytes and where they stand."""

SUFFIXES: Mapping[str, str] = MappingProxyType(
    {
        ".tflite": TFLITE,
        ".pt": PYTORCH,
        ".pth": PYTORCH,
        ".safetensors": SAFETENSORS,
        ".pbtxt": f"is a graph or a model as text, which only tools read. {EXPORT}",
        ".mlmodel": "is a model of Core ML; pack the Keras model that it was converted from.",
        ".engine": "is an engine of TensorRT, which runs on one kind of GPU alone; pack the model "
        "that it was built from.",
        ".caffemodel": f"is a model of Caffe's, which nothing here reads. {HANDLER}",
        ".pdmodel": "is a model of PaddlePaddle's. Write it as ONNX with paddle2onnx, and make a "
        'SavedModel of that: pip install "onnx2tf<2", then onnx2tf -i model.onnx -o saved_model '
        "-osd, then plumbline pack saved_model.",
    }
)
"""By the ending of a name, where the bytes said nothing."""


def pytorch(name: str, head: bytes) -> str:
    """The sentence for a PyTorch file, by the names in its pickle."""
    return filled(YOLO if b"ultralytics" in head else PYTORCH, name)


def checkpoint(prefix: str, first: Path) -> str:
    """The sentence for a training checkpoint, by what lies beside it."""
    is_first = first.with_name(f"{Path(prefix).name}.meta").is_file()
    folder = first.parent
    if (folder / "pipeline.config").is_file():
        way_out = (
            "The Object Detection API exports it: python exporter_main_v2.py --input_type "
            "image_tensor --pipeline_config_path pipeline.config --trained_checkpoint_dir . "
            "--output_directory exported, then plumbline pack exported/saved_model."
        )
    elif is_first:
        way_out = (
            f"Its graph is in {prefix}.meta: saver = tf.compat.v1.train.import_meta_graph("
            f"{prefix + '.meta'!r}), saver.restore(session, {prefix!r}), then "
            "tf.compat.v1.saved_model.simple_save(session, 'saved_model', {'image': input tensor}, "
            "{'scores': output tensor})."
        )
    else:
        way_out = (
            f"In the training code: model.load_weights({prefix!r}), or "
            f"tf.train.Checkpoint(model=model).restore({prefix!r}).expect_partial() as it was "
            "saved, then model.export('saved_model')."
        )
    what = "names" if first.name == "checkpoint" else "is a part of"
    return f"{what} a checkpoint: weights, without the model that they belong to. {way_out}"


def filled(sentence: str, name: str) -> str:
    """The sentence about the file of this name."""
    folder = Path(name).parent.as_posix()
    return sentence.replace("{name}", name).replace("{folder}", folder)
