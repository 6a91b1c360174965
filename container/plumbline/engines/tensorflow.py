"""TensorFlow, run as TensorFlow Serving runs it: a session over the SavedModel's own graph."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from plumbline.arrays import Tensors
from plumbline.errors import DeadlineExceeded, EngineError
from plumbline.signature import Signature, TensorSpec

SERVE = "serve"


class TensorFlowEngine:
    """A SavedModel in a session; `run` may be called from several threads at once."""

    name = "tensorflow"

    def __init__(self, run: Callable[..., Any], signature: Signature, options: type[Any]) -> None:
        self._run = run
        self._options = options
        self.signature = signature

    def run(self, inputs: Tensors, timeout: float) -> Tensors:
        """See `Engine.run`; TensorFlow itself stops at the deadline."""
        from tensorflow import errors

        fed = [inputs[spec.name] for spec in self.signature.inputs]
        options = self._options(timeout_in_ms=max(1, int(timeout * 1000)))
        try:
            fetched = self._run(*fed, options=options)
        except errors.DeadlineExceededError as exc:
            raise DeadlineExceeded("The model did not answer in time.") from exc
        except errors.OpError as exc:
            raise EngineError("The model failed on this input; the server's log says why.") from exc
        names = (spec.name for spec in self.signature.outputs)
        return dict(zip(names, fetched, strict=True))


def load_saved_model(folder: Path, signature_name: str, threads: int) -> TensorFlowEngine:
    """The engine for a SavedModel of any age. Raises `EngineError`."""
    import tensorflow as tf

    tf.get_logger().setLevel("ERROR")  # it advises against what this engine is about
    config = tf.compat.v1.ConfigProto(
        intra_op_parallelism_threads=threads, inter_op_parallelism_threads=threads
    )
    session = tf.compat.v1.Session(graph=tf.Graph(), config=config)
    try:
        with session.graph.as_default():
            meta_graph = tf.compat.v1.saved_model.load(session, [SERVE], str(folder))
    except Exception as exc:  # whatever a damaged file makes TensorFlow raise
        raise EngineError(f"TensorFlow can't load the SavedModel {folder.name}/: {exc}") from exc
    definition = choose_signature(meta_graph.signature_def, signature_name)
    inputs, outputs = sorted(definition.inputs.items()), sorted(definition.outputs.items())
    run = session.make_callable(
        [info.name for _, info in outputs],
        feed_list=[session.graph.get_tensor_by_name(info.name) for _, info in inputs],
        accept_options=True,
    )
    signature = Signature(
        tuple(describe(name, info) for name, info in inputs),
        tuple(describe(name, info) for name, info in outputs),
    )
    return TensorFlowEngine(run, signature, tf.compat.v1.RunOptions)


def choose_signature(definitions: Any, name: str) -> Any:
    """The signature that the spec names. Raises `EngineError` that lists those there are."""
    callable_names = [known for known in definitions if not known.startswith("__")]
    if name not in callable_names:
        raise EngineError(
            f"The SavedModel has no signature {name!r}; it has "
            f"{', '.join(map(repr, callable_names)) or 'none'}. Set [model] signature."
        )
    return definitions[name]


def describe(name: str, info: Any) -> TensorSpec:
    """A tensor of the signature, in our words."""
    import tensorflow as tf

    shape = tf.TensorShape(info.tensor_shape)
    if shape.rank is None:
        raise EngineError(f"The SavedModel declares no shape for {name!r}; export it with one.")
    return TensorSpec(name, tuple(shape.as_list()), tf.as_dtype(info.dtype).name)


def load_keras(file: Path, signature_name: str, threads: int) -> TensorFlowEngine:
    """The engine for a `.keras` file, by way of the SavedModel that Keras exports."""
    import keras

    try:
        model = keras.saving.load_model(file, compile=False, safe_mode=True)
    except Exception as exc:  # whatever a damaged or hostile file makes Keras raise
        raise EngineError(f"Keras {keras.__version__} can't load {file.name}: {exc}") from exc
    with tempfile.TemporaryDirectory(prefix="plumbline-export-") as folder:
        model.export(folder, verbose=False)
        return load_saved_model(Path(folder), signature_name, threads)


LOADERS = {"saved_model": load_saved_model, "keras": load_keras}
"""How each kind of model file is loaded."""
