"""Runs inside the process of `convert.py`: Keras loads and exports, libraries answer.

It sends `{"done": name}` for each picture and one `{"reader": who}`, or `{"error": text}`.
"""

from __future__ import annotations

import random
import re
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np

from plumbline.archive.discovery import ModelFile
from plumbline.archive.keras_config import EXPORT_THERE
from plumbline.archive.npz_outputs import save
from plumbline.archive.saved_model import no_signature, read_signatures, serving_tags
from plumbline.engines.tensorflow import readable
from plumbline.errors import EngineError, ModelError, PackingError, PlumblineError
from plumbline.loading.served_model import one_line
from plumbline.machine.child_process import received, send
from plumbline.packing import custom_objects, half_precision
from plumbline.signature import ABSENT, Signature, TensorSpec
from plumbline.spec import model_spec as specs
from plumbline.spec.model_spec import ModelSpec
from plumbline.vision.arrays import Tensors

Predict = Callable[[Tensors], Mapping[str, Any]]


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
        reader, predict, signature = load({**request, "custom": names})
    if request["pictures"]:
        answer_pictures(request, predict, signature, messages)
    return reader


def load_keras(request: Mapping[str, Any]) -> tuple[str, Predict, Signature]:
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
    inputs = tuple(
        TensorSpec(each.name, tuple(each.shape), tf.as_dtype(each.dtype).name)
        for each in input_specs(model)
    )
    serve = serving(model)

    def predict(fed: Tensors) -> Mapping[str, Any]:
        return serve(*(fed[each.name] for each in inputs))

    return str(library), predict, Signature(inputs, ())


def load_saved_model(request: Mapping[str, Any]) -> tuple[str, Predict, Signature]:
    """A SavedModel: nothing to export, and its own signature answers."""
    import tensorflow as tf

    folder = Path(request["folder"])
    tags = serving_tags(folder)
    reader = f"tensorflow{half_precision.in_float32(folder)}"
    if not request["pictures"]:
        return reader, lambda _: {}, ABSENT
    name = specs.parse(request["spec"]).model.signature
    there = read_signatures(folder)
    if name not in there:
        raise no_signature(name, there)
    try:
        loaded = tf.saved_model.load(str(folder), tags)
        function = loaded.signatures[name]
        inputs = function.structured_input_signature[1]
    except Exception as exc:  # a SavedModel of TensorFlow 1, or without that signature
        raise PackingError(
            f"TensorFlow can't call the SavedModel's signature {name!r} ({exc}); "
            "give the golden outputs yourself, with --reference FILE:FUNCTION."
        ) from exc
    keep = loaded  # its variables live as long as it does

    def predict(fed: Tensors) -> Mapping[str, Any]:
        assert keep is not None  # noqa: S101 - held for its variables
        tensors = {key: tf.constant(fed[key], spec.dtype) for key, spec in inputs.items()}
        found: Mapping[str, Any] = function(**tensors)
        return found

    taken = tuple(
        TensorSpec(key, tuple(spec.shape.as_list()), spec.dtype.name)
        for key, spec in inputs.items()
    )
    return reader, predict, Signature(taken, ())


LOADERS = {"saved_model": load_saved_model}


def answer_pictures(
    request: Mapping[str, Any],
    predict: Predict,
    signature: Signature,
    messages: IO[str],
) -> None:
    """The model's outputs for each picture, read as declared by the libraries themselves."""
    from plumbline.packing.reference_libraries import preprocess
    from plumbline.pipeline.model_inputs import (
        decodes_itself,
        fit_pictures,
        hint_on_size,
        image_size,
    )
    from plumbline.pipeline.picture_view import view_of
    from plumbline.pipeline.preprocess import in_dtype

    spec = specs.parse(request["spec"])
    fit_pictures(spec, signature)
    view = view_of(spec, signature)
    target = view.signature.input() if view else signature.input()
    if decodes_itself(target):
        raise PackingError(
            f"The model's input is {target}: it decodes pictures itself; "
            "give the golden outputs yourself, with --reference FILE:FUNCTION, or pack it without "
            "--golden, and send tensors as JSON."
        )
    size = image_size(spec, target)
    for picture in map(Path, request["pictures"]):
        tensor = in_dtype(preprocess(picture, spec.preprocess, size), target.dtype)
        batch = tensor[np.newaxis]
        fed = view.inputs(batch) if view else {target.name: batch}
        try:
            outputs = activated(predict(fed), spec)
        except Exception as exc:  # whatever TensorFlow says of an input that it can't compute
            height, width = tensor.shape[:2]
            words = one_line(re.sub(r"\x1b\[\d+m", "", f"{type(exc).__name__}: {exc}"))
            raise PackingError(
                f"The model can't compute {picture.name}, {width}×{height} pixels as it gets it. "
                f"TensorFlow says: {words}.{hint_on_size(spec, target)}"
            ) from exc
        found = numbers(outputs)
        if not found:
            raise texts_alone(outputs)
        save(Path(request["answers"], f"{picture.name}.npz"), found)
        send(messages, done=picture.name)


def texts_alone(outputs: Mapping[str, Any]) -> PackingError:
    """The error for a model whose outputs can't be golden ones."""
    return PackingError(
        f"The model answers texts alone ({', '.join(outputs)}), and golden outputs are numbers. "
        "Save it with its scores, too: keras.Model(model.input, {'label': model.output, 'scores': "
        "model.get_layer('NAME').output}); or pack it without --golden."
    )


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
    "image": lambda _: "none",
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
