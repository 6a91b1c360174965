"""A Keras model → a SavedModel that needs no Python code, the same bytes every time.

Keras's own `export` forgets to say that nobody is training, so that a RandomRotation goes on
turning the pictures; it lists the variables in the order of their addresses, stores each twice, and
adds a random fingerprint and the paths of this machine's files.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any


def export(model: Any, folder: Path) -> None:
    """Write a model of Keras 3 or tf_keras; `folder` must not exist or be empty."""
    import tensorflow as tf

    served = tf.Module()
    served.weights = [resource(variable) for variable in model.variables]
    served.tables = list(lookup_tables(model))
    signature = [input_spec(tensor) for tensor in model.inputs]
    function = tf.function(serving(model), input_signature=signature, autograph=False)
    tf.saved_model.save(
        served,
        str(folder),
        signatures={"serving_default": function.get_concrete_function()},
        options=tf.saved_model.SaveOptions(save_debug_info=False),
    )
    normalize(folder)


def serving(model: Any) -> Callable[..., dict[str, Any]]:
    """The model as a function from tensors to named tensors, as `predict` calls it."""

    def serve(*inputs: Any) -> dict[str, Any]:
        batch = inputs[0] if len(inputs) == 1 else list(inputs)
        return outputs_by_name(model(batch, training=False))

    return serve


def outputs_by_name(outputs: Any) -> dict[str, Any]:
    """Outputs under their own names where they have some, else numbered as Keras does."""
    if isinstance(outputs, dict):
        return {str(name): value for name, value in outputs.items()}
    listed = outputs if isinstance(outputs, list | tuple) else [outputs]
    return {f"output_{number}": value for number, value in enumerate(listed)}


def input_spec(tensor: Any) -> Any:
    """What the signature says of one of the model's inputs."""
    import tensorflow as tf

    return tf.TensorSpec(tuple(tensor.shape), tensor.dtype, name=tensor.name)


def resource(variable: Any) -> Any:
    """TensorFlow's variable: Keras 3 wraps it."""
    value = getattr(variable, "value", None)
    return variable if value is None or callable(value) else value


def lookup_tables(model: Any) -> Iterator[Any]:
    """The tables of layers like StringLookup, in the order of the layers."""
    for layer in model._flatten_layers():  # noqa: SLF001 - what both Kerases' export walks, too
        table = getattr(layer, "lookup_table", None)
        if table is not None:
            yield table


def normalize(folder: Path) -> None:
    """Leave out what is random, and write maps in a fixed order."""
    from tensorflow.core.protobuf import saved_model_pb2

    (folder / "fingerprint.pb").unlink(missing_ok=True)
    if not any((folder / "assets").iterdir()):
        (folder / "assets").rmdir()
    file = folder / "saved_model.pb"
    message = saved_model_pb2.SavedModel()
    message.ParseFromString(file.read_bytes())
    file.write_bytes(message.SerializeToString(deterministic=True))
