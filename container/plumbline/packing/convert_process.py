"""Runs inside the process of `convert.py`: Keras loads and exports, libraries answer.

It sends `{"done": name}` for each picture and one `{"reader": who}`, or `{"error": text}`.
"""

from __future__ import annotations

import random
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np

from plumbline.archive.discovery import ModelFile
from plumbline.archive.keras_config import EXPORT_THERE
from plumbline.archive.npz_outputs import save
from plumbline.archive.saved_model import no_signature, read_signatures, serving_tags
from plumbline.engines.tensorflow import readable
from plumbline.errors import EngineError, ModelError, PackingError, PlumblineError
from plumbline.machine.child_process import received, send
from plumbline.packing import custom_objects
from plumbline.signature import TensorSpec
from plumbline.spec import model_spec as specs
from plumbline.spec.model_spec import ModelSpec

Predict = Callable[[Any], Mapping[str, Any]]


def main() -> None:
    """Answer the request; our own errors become messages, others a crash with its traceback."""
    random.seed(0)  # Keras draws the seeds of layers such as Dropout, which are exported
    request, messages = received()
    try:
        reader = answer(request, messages)
    except PlumblineError as exc:
        traceback.print_exc()
        send(messages, error=exc.message)
    else:
        send(messages, reader=reader)


def answer(request: Mapping[str, Any], messages: IO[str]) -> str:
    """Load, export, predict; who read the model."""
    objects = request["custom_objects"]
    with custom_objects.known(Path(objects) if objects else None) as names:
        load = LOADERS.get(request["kind"], load_keras)
        reader, predict, target = load({**request, "custom": names})
    if request["pictures"]:
        answer_pictures(request, predict, target, messages)
    return reader


def load_keras(request: Mapping[str, Any]) -> tuple[str, Predict, TensorSpec]:
    """A Keras file, exported."""
    import tensorflow as tf

    from plumbline.engines.keras import load
    from plumbline.engines.keras_export import export, input_specs, serving

    weights = request["weights"]
    model_file = ModelFile(
        request["kind"], Path(request["path"]), Path(weights) if weights else None
    )
    library, model = load(model_file, request["custom"])
    try:
        export(model, Path(request["folder"]))
    except ModelError:
        raise
    except Exception as exc:  # whatever a custom layer raises when it is traced
        raise EngineError(
            f"{library} has loaded {model_file.path.name}, but can't export it as a SavedModel: "
            f"{type(exc).__name__}: {exc}. {EXPORT_THERE}"
        ) from exc
    specs_of = input_specs(model)
    check_one_input([f"{spec.name} {list(spec.shape)}" for spec in specs_of], request)
    first = specs_of[0]
    target = TensorSpec(first.name, tuple(first.shape), tf.as_dtype(first.dtype).name)
    return str(library), serving(model), target


def load_saved_model(request: Mapping[str, Any]) -> tuple[str, Predict, TensorSpec]:
    """A SavedModel: nothing to export, and its own signature answers."""
    import tensorflow as tf

    if not request["pictures"]:
        return "tensorflow", lambda _: {}, TensorSpec("", (), "float32")
    name = specs.parse(request["spec"]).model.signature
    tags = serving_tags(Path(request["path"]))
    there = read_signatures(Path(request["path"]))
    if name not in there:
        raise no_signature(name, there)
    check_one_input(list(map(str, there[name].inputs)), request)
    try:
        loaded = tf.saved_model.load(request["path"], tags)
        function = loaded.signatures[name]
        inputs = list(function.structured_input_signature[1].items())
        key, tensor = inputs[0]
    except Exception as exc:  # a SavedModel of TensorFlow 1, or without that signature
        raise PackingError(
            f"TensorFlow can't call the SavedModel's signature {name!r} ({exc}); "
            "give the golden outputs yourself, with --reference FILE:FUNCTION."
        ) from exc
    keep = loaded  # its variables live as long as it does

    def predict(batch: Any) -> Mapping[str, Any]:
        assert keep is not None  # noqa: S101 - held for its variables
        found: Mapping[str, Any] = function(**{key: tf.constant(batch, tensor.dtype)})
        return found

    return "tensorflow", predict, TensorSpec(key, tuple(tensor.shape.as_list()), tensor.dtype.name)


def check_one_input(inputs: Sequence[str], request: Mapping[str, Any]) -> None:
    """Raise `PackingError` if pictures are to be answered for that fill one of several inputs."""
    if len(inputs) > 1 and request["pictures"]:
        raise PackingError(
            f"The model has {len(inputs)} inputs ({', '.join(inputs)}), and a picture fills one. "
            "Pack it without --golden, and send tensors: "
            '{"instances": [{"NAME": …, …}]}, a value for each input. Or export a model of one '
            "input, in which the others are constants: keras.Model(image, model([image, "
            "constant]))."
        )


LOADERS = {"saved_model": load_saved_model}


def answer_pictures(
    request: Mapping[str, Any],
    predict: Predict,
    target: TensorSpec,
    messages: IO[str],
) -> None:
    """The model's outputs for each picture, read as declared by the libraries themselves."""
    from plumbline.packing.reference_libraries import preprocess
    from plumbline.pipeline.model_inputs import image_size
    from plumbline.pipeline.preprocess import in_dtype

    spec = specs.parse(request["spec"])
    if len(target.shape) != 4:
        raise PackingError(
            f"The model's input has the shape {list(target.shape)}, which is no batch of pictures; "
            "give the golden outputs yourself, with --reference FILE:FUNCTION."
        )
    size = image_size(spec, target)
    for picture in map(Path, request["pictures"]):
        tensor = in_dtype(preprocess(picture, spec.preprocess, size), target.dtype)
        outputs = activated(predict(tensor[np.newaxis]), spec)
        save(Path(request["answers"], f"{picture.name}.npz"), numbers(outputs))
        send(messages, done=picture.name)


def numbers(outputs: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """The outputs of numbers for the only picture; what has no batch axis stays as it is."""
    arrays = {name: readable(np.asarray(value)) for name, value in outputs.items()}
    return {
        name: array[0] if array.ndim else array
        for name, array in arrays.items()
        if array.dtype.kind in "biuf"
    }


ACTIVATED: Mapping[str, Callable[[ModelSpec], str]] = {
    "classification": lambda spec: spec.classification.activation,
    "segmentation": lambda spec: spec.segmentation.activation,
    "detection": lambda _: "none",
    "raw": lambda _: "none",
}
"""What a task's golden outputs are activated by; those of detection are raw, as it takes several
kinds of values from one output.
"""


def activated(outputs: Mapping[str, Any], spec: ModelSpec) -> dict[str, Any]:
    """The declared output, or all, with the declared activation as TensorFlow computes it."""
    import tensorflow as tf

    functions = {"none": tf.identity, "softmax": tf.nn.softmax, "sigmoid": tf.sigmoid}
    activate = functions[ACTIVATED[spec.task](spec)]
    wanted = [name for name in outputs if spec.model.output in (None, name)]
    return {name: activate(outputs[name]) for name in wanted}


if __name__ == "__main__":
    main()
