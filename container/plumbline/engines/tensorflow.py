"""TensorFlow, run as TensorFlow Serving runs it: a session over the SavedModel's own graph."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from plumbline.archive.saved_model import SERVE, is_public
from plumbline.engines.time_left import TimeLeft
from plumbline.errors import DeadlineExceeded, EngineError, InputRefused
from plumbline.signature import Signature, TensorSpec
from plumbline.vision.arrays import Tensor, Tensors

log = logging.getLogger("plumbline.engines")


def preload() -> None:
    """Import TensorFlow, and start nothing."""
    import tensorflow as tf  # noqa: F401


class TensorFlowEngine:
    """A SavedModel in a session; `run` may be called from several threads at once."""

    name = "tensorflow"

    def __init__(self, run: Callable[..., Any], signature: Signature, options: type[Any]) -> None:
        self._run = run
        self._options = options
        self.signature = signature
        self.others: dict[str, TensorFlowEngine] = {}

    def run(self, inputs: Tensors, left: TimeLeft) -> Tensors:
        """See `Engine.run`; TensorFlow itself stops at the deadline, and for nothing else."""
        from tensorflow import errors

        fed = [inputs[spec.name] for spec in self.signature.inputs]
        options = self._options(timeout_in_ms=max(1, int(left() * 1000)))
        try:
            fetched = self._run(*fed, options=options)
        except errors.DeadlineExceededError as exc:
            raise DeadlineExceeded("The model did not answer in time.") from exc
        except (errors.InvalidArgumentError, UnicodeDecodeError) as exc:
            # The latter where TensorFlow's words quote what they are about, and it is no text.
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
    definitions = meta_graph.signature_def
    engine = engine_of(session, choose_signature(definitions, signature_name))
    engine.others.update(others(session, definitions, signature_name))
    return engine


def others(session: Any, definitions: Any, chosen: str) -> Iterator[tuple[str, TensorFlowEngine]]:
    """The engines of the other signatures, but for those with sparse tensors."""
    for name, definition in definitions.items():
        tensors = (*definition.inputs.values(), *definition.outputs.values())
        dense = all(info.name for info in tensors)
        if is_public(name) and name != chosen and dense:
            yield name, engine_of(session, definition)


def engine_of(session: Any, definition: Any) -> TensorFlowEngine:
    """The engine of one signature."""
    import tensorflow as tf

    signature = signature_of(definition, session.graph)
    run = session.make_callable(
        [definition.outputs[spec.name].name for spec in signature.outputs],
        feed_list=[
            session.graph.get_tensor_by_name(definition.inputs[spec.name].name)
            for spec in signature.inputs
        ],
        accept_options=True,
    )
    return TensorFlowEngine(run, signature, tf.compat.v1.RunOptions)


def signature_of(definition: Any, graph: Any) -> Signature:
    """A signature in our words, its inputs and outputs in the order of their names."""
    return Signature(
        tuple(fed(name, info, graph) for name, info in sorted(definition.inputs.items())),
        tuple(describe(name, info) for name, info in sorted(definition.outputs.items())),
        definition.method_name,
    )


def fed(name: str, info: Any, graph: Any) -> TensorSpec:
    """An input; one that the graph computes, where nobody feeds it, takes what may stand there."""
    spec = describe(name, info)
    kind = graph.get_tensor_by_name(info.name).op.type
    return spec if kind.startswith("Placeholder") else replace(spec, loose=True)


def describe(name: str, info: Any) -> TensorSpec:
    """A tensor of a signature; `loose` where its number of axes is not known."""
    import tensorflow as tf

    shape = tf.TensorShape(info.tensor_shape)
    known = tuple(shape.as_list()) if shape.rank is not None else ()
    return TensorSpec(name, known, tf.as_dtype(info.dtype).name, loose=shape.rank is None)


def choose_signature(definitions: Any, name: str) -> Any:
    """The signature that the spec names. Raises `EngineError` that lists those there are."""
    callable_names = [known for known in definitions if is_public(known)]
    if name not in callable_names:
        raise EngineError(
            f"The SavedModel has no signature {name!r}; it has "
            f"{', '.join(map(repr, callable_names)) or 'none'}. Set [model] signature."
        )
    return definitions[name]
