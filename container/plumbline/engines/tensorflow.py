"""TensorFlow, run as TensorFlow Serving runs it: a session over the SavedModel's own graph."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from plumbline.archive.saved_model import is_public, no_signature, read_signatures, serving_tags
from plumbline.engines.session_call import SessionCall, words
from plumbline.engines.time_left import TimeLeft
from plumbline.errors import DeadlineExceeded, EngineError, InputRefused
from plumbline.machine.quiet import is_ours, muted
from plumbline.signature import ABSENT, DEFAULT, Signature, TensorSpec
from plumbline.vision.arrays import Tensor, Tensors

log = logging.getLogger("plumbline.engines")


def preload() -> None:
    """Import TensorFlow, and start nothing; how it greets is nobody's concern."""
    if "tensorflow" not in sys.modules:
        with muted(spared=is_ours):  # threads beside this one may have something to say
            import tensorflow as tf  # noqa: F401


@cache
def tell_device() -> None:
    """Say once whether a TensorFlow that was built for GPUs has found one."""
    import tensorflow as tf

    if not tf.test.is_built_with_cuda():
        return
    if found := tf.config.list_physical_devices("GPU"):
        log.info("TensorFlow computes on %s.", ", ".join(gpu.name for gpu in found))
    else:
        log.warning(
            "TensorFlow found no GPU and computes on the CPU. This image is for instances with "
            "NVIDIA's GPUs (ml.g*); `docker run` needs --gpus all."
        )


Call: TypeAlias = Callable[[Sequence[Tensor], float], list[Tensor]]
"""Inputs and the seconds left → outputs, each in the order of the signature."""


class TensorFlowEngine:
    """A SavedModel in a session; `run` may be called from several threads at once."""

    name = "tensorflow"

    def __init__(self, call: Call, signature: Signature) -> None:
        self._call = call
        self.signature = signature
        self.others: dict[str, TensorFlowEngine] = {}

    def run(self, inputs: Tensors, left: TimeLeft) -> Tensors:
        """See `Engine.run`; TensorFlow itself stops at the deadline, and for nothing else."""
        from tensorflow import errors

        fed = [inputs[spec.name] for spec in self.signature.inputs]
        callers = (errors.InvalidArgumentError, errors.OutOfRangeError, errors.UnimplementedError)
        try:
            fetched = self._call(fed, left())
        except errors.DeadlineExceededError as exc:
            raise DeadlineExceeded("The model did not answer in time.") from exc
        except callers as exc:
            log.warning("The model refused an input: %s", str(exc)[:1000])
            raise InputRefused(f"The model can't compute this input: {words(exc)}") from exc
        except UnicodeDecodeError as exc:
            # Where TensorFlow's words quote what they are about, and it is no text.
            log.warning("The model refused an input: %s", str(exc)[:1000])
            raise InputRefused(
                "The model can't compute this input: its values are not what the model was made "
                "for, or don't fit together. The server's log says what TensorFlow said."
            ) from exc
        except errors.OpError as exc:
            raise EngineError("The model failed on this input; the server's log says why.") from exc
        names = (spec.name for spec in self.signature.outputs)
        return dict(zip(names, map(readable, fetched), strict=True))


def readable(output: Tensor) -> Tensor:
    """An output as NumPy knows it: bfloat16 becomes float32, which holds all of its numbers."""
    return output.astype(np.float32) if output.dtype.name == "bfloat16" else output


def load_saved_model(folder: Path, signature_name: str, threads: int) -> TensorFlowEngine:
    """The engine for a SavedModel of any age. Raises `EngineError`."""
    preload()
    import tensorflow as tf

    tell_device()
    tags = serving_tags(folder)
    there = read_signatures(folder)
    if signature_name not in there and not (there and signature_name == DEFAULT):
        raise no_signature(signature_name, there)

    tf.get_logger().setLevel("ERROR")  # it advises against what this engine is about
    config = tf.compat.v1.ConfigProto(
        intra_op_parallelism_threads=threads,
        inter_op_parallelism_threads=threads,
        allow_soft_placement=True,  # as TensorFlow Serving: on what there is, not on /device:GPU:0
    )
    session = tf.compat.v1.Session(graph=tf.Graph(), config=config)
    try:
        with session.graph.as_default():
            meta_graph = tf.compat.v1.saved_model.load(session, tags, str(folder))
    except Exception as exc:  # whatever a damaged file makes TensorFlow raise
        raise EngineError(
            f"TensorFlow can't load the SavedModel {folder.name}/: {exc} "
            "Where it was trained, model.export('saved_model') may write one that can be loaded; "
            "operations of other libraries must be left out of it."
        ) from exc
    definitions = meta_graph.signature_def
    if lacks_values(session) and (whole := frozen(folder, tags, signature_name, config)):
        return whole
    chosen = definitions.get(signature_name)
    engine = engine_of(session, chosen) if chosen else without_default()
    engine.others.update(others(session, definitions, signature_name))
    return engine


def without_default() -> TensorFlowEngine:
    """What stands for TensorFlow's default signature where a model has only others."""
    return TensorFlowEngine(refuse, ABSENT)


def refuse(*_: Any) -> list[Tensor]:
    """Nobody gets here: what names no signature is refused before."""
    raise EngineError(f"The model has no signature {DEFAULT!r}; name another as signature_name.")


def lacks_values(session: Any) -> bool:
    """Whether variables have no values yet: those of Keras 3 that TensorFlow itself has saved."""
    import tensorflow as tf

    with session.graph.as_default():
        checks = [
            tf.raw_ops.VarIsInitializedOp(resource=operation.outputs[0])
            for operation in session.graph.get_operations()
            if operation.type == "VarHandleOp"
        ]
    return not all(session.run(checks))


def frozen(
    folder: Path, tags: list[str], signature_name: str, config: Any
) -> TensorFlowEngine | None:
    """The engine for a SavedModel as TensorFlow 2 itself loads it, the values in its graph.

    None where TensorFlow 2 can't load it either.
    """
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import (
        convert_variables_to_constants_v2 as with_constants,
    )

    try:
        loaded = tf.saved_model.load(str(folder), tags)
        engines = {
            name: engine_of_function(with_constants(function), function, config)
            for name, function in loaded.signatures.items()
        }
    except Exception as exc:  # whatever TensorFlow raises; the session's graph is left
        log.warning("TensorFlow 2 can't load the SavedModel either: %s", exc)
        return None
    log.info("Variables have no values in a session; TensorFlow 2 has loaded the SavedModel.")
    engine = engines.pop(signature_name, None) or without_default()
    engine.others.update(engines)
    return engine


def engine_of_function(constant: Any, function: Any, config: Any) -> TensorFlowEngine:
    """The engine of a function of TensorFlow 2 whose variables are constants, as `function`'s."""
    import tensorflow as tf

    session = tf.compat.v1.Session(graph=tf.Graph(), config=config)
    with session.graph.as_default():
        tf.import_graph_def(constant.graph.as_graph_def(), name="")
    declared = function.structured_input_signature[1]
    names = {spec.name: name for name, spec in declared.items()}
    fed_by = {names[tensor.op.name]: tensor for tensor in constant.inputs}
    fetched = dict(zip(sorted(function.structured_outputs), constant.outputs, strict=True))
    inputs, outputs = (
        tuple(of_tensor(name, tensor) for name, tensor in sorted(side.items()))
        for side in (fed_by, fetched)
    )
    signature = Signature(inputs, outputs)
    at = session.graph.get_tensor_by_name
    feeds = [at(fed_by[spec.name].name) for spec in signature.inputs]
    fetches = [at(fetched[spec.name].name) for spec in signature.outputs]
    return TensorFlowEngine(SessionCall(session, feeds, fetches), signature)


def others(session: Any, definitions: Any, chosen: str) -> Iterator[tuple[str, TensorFlowEngine]]:
    """The engines of the other signatures, but for those with sparse tensors."""
    for name, definition in definitions.items():
        tensors = (*definition.inputs.values(), *definition.outputs.values())
        dense = all(info.name for info in tensors)
        if is_public(name) and name != chosen and dense:
            yield name, engine_of(session, definition)


def engine_of(session: Any, definition: Any) -> TensorFlowEngine:
    """The engine of one signature."""
    graph, signature = session.graph, signature_of(definition, session.graph)
    feeds, fetches = (
        [graph.get_tensor_by_name(side[spec.name].name) for spec in specs]
        for side, specs in (
            (definition.inputs, signature.inputs),
            (definition.outputs, signature.outputs),
        )
    )
    return TensorFlowEngine(SessionCall(session, feeds, fetches), signature)


def signature_of(definition: Any, graph: Any) -> Signature:
    """A signature in our words, its inputs and outputs in the order of their names."""
    return Signature(
        tuple(fed(name, info, graph) for name, info in sorted(definition.inputs.items())),
        tuple(describe(name, info, graph) for name, info in sorted(definition.outputs.items())),
        definition.method_name,
    )


def fed(name: str, info: Any, graph: Any) -> TensorSpec:
    """An input; one that the graph computes, where nobody feeds it, takes what may stand there."""
    spec = describe(name, info, graph)
    kind = graph.get_tensor_by_name(info.name).op.type
    return spec if kind.startswith("Placeholder") else replace(spec, loose=True)


def describe(name: str, info: Any, graph: Any) -> TensorSpec:
    """A tensor of a signature; `loose` where its number of axes is not known.

    Its dtype is the graph's, which counts, whatever the signature says.
    """
    import tensorflow as tf

    shape = tf.TensorShape(info.tensor_shape)
    known = tuple(shape.as_list()) if shape.rank is not None else ()
    dtype = graph.get_tensor_by_name(info.name).dtype.base_dtype
    return TensorSpec(name, known, dtype.name, loose=shape.rank is None)


def of_tensor(name: str, tensor: Any) -> TensorSpec:
    """A tensor of a function of TensorFlow 2."""
    known = tuple(tensor.shape.as_list()) if tensor.shape.rank is not None else ()
    return TensorSpec(name, known, tensor.dtype.name, loose=tensor.shape.rank is None)
