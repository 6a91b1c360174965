"""A Keras model → a SavedModel that needs no Python code, the same bytes every time.

Keras's own `export` forgets to say that nobody is training, so that a RandomRotation goes on
turning the pictures; it lists the variables in the order of their addresses, stores each twice, and
adds a random fingerprint and the paths of this machine's files.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from plumbline.errors import EngineError


def export(model: Any, folder: Path) -> None:
    """Write a model of Keras 3 or tf_keras; `folder` must not exist or be empty."""
    import tensorflow as tf

    served = tf.Module()
    served.weights = [resource(variable) for variable in model.variables]
    served.tables = list(lookup_tables(model))
    served.others = list(tracked(model))
    signature = input_specs(model)
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
        given = structured(model, inputs)
        outputs = model(given, training=False)
        return outputs_by_name(decoded(model, outputs, given))

    return serve


def decoded(model: Any, outputs: Any, given: Any) -> Any:
    """The outputs as `predict` gives them: detectors of KerasHub and KerasCV make boxes of them."""
    return model.decode_predictions(outputs, given) if decodes(model) else outputs


def decodes(model: Any) -> bool:
    """Whether `predict` makes boxes of the outputs."""
    return hasattr(model, "prediction_decoder") and hasattr(model, "decode_predictions")


def structured(model: Any, inputs: Sequence[Any]) -> Any:
    """The inputs as the model was built to take them: one, a list, or an object by names."""
    import tensorflow as tf

    for name in ("_inputs_struct", "_nested_inputs"):  # of Keras 3 and of Keras 2
        if isinstance(struct := getattr(model, name, None), dict):
            return tf.nest.pack_sequence_as(struct, list(inputs))
    return inputs[0] if len(inputs) == 1 else list(inputs)


def outputs_by_name(outputs: Any) -> dict[str, Any]:
    """Outputs under their own names where they have some, else numbered as Keras does."""
    if isinstance(outputs, dict):
        return {str(name): value for name, value in outputs.items()}
    listed = outputs if isinstance(outputs, list | tuple) else [outputs]
    return {f"output_{number}": value for number, value in enumerate(listed)}


def input_specs(model: Any) -> list[Any]:
    """What the signature says of the model's inputs. Raises `EngineError` if nobody knows.

    A class of the user's own has no inputs: it was built for a batch of some shape, once.
    """
    if inputs := getattr(model, "inputs", None):
        # What suppresses boxes there takes batches of a known size alone.
        return [input_spec(tensor, 1 if decodes(model) else None) for tensor in inputs]
    import tensorflow as tf

    shape = (model.get_build_config() or {}).get("input_shape")
    if not shape or not all(each is None or isinstance(each, int) for each in shape):
        raise EngineError(
            f"{type(model).__name__} is a class of your own, and its file does not say what goes "
            "into it: it was never called, or takes several inputs. Where it was trained, "
            "model.export('saved_model') writes a SavedModel, which can be packed."
        )
    name = next(iter(inspect.signature(model.call).parameters))
    return [tf.TensorSpec((None, *shape[1:]), tf.float32, name=name)]


def tracked(model: Any) -> Iterator[Any]:
    """What layers hold beside variables and other layers: tables, and modules of a hub."""
    import tensorflow as tf
    from tensorflow.python.trackable.resource import CapturableResource

    kinds = (CapturableResource, tf.__internal__.tracking.AutoTrackable)
    for layer in model._flatten_layers():  # noqa: SLF001 - what both Kerases' export walks, too
        for value in vars(layer).values():
            own = type(value).__module__.partition(".")[0] in ("keras", "tf_keras")
            if isinstance(value, kinds) and not own and not hasattr(value, "_flatten_layers"):
                yield value


def input_spec(tensor: Any, batch: int | None) -> Any:
    """What the signature says of one of the model's inputs, for batches of that size if any."""
    import tensorflow as tf

    shape = (batch or tensor.shape[0], *tensor.shape[1:])
    return tf.TensorSpec(shape, tensor.dtype, name=tensor.name)


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
