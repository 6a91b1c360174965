"""The toy models of TensorFlow Serving's documentation, made as its sources make them.

In those sources a graph of TensorFlow 1 parses serialised examples, and computes `x / 2 + b` of
what it found in them, or of what is fed in its place.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

METHODS = {method: f"tensorflow/serving/{method}" for method in ("predict", "classify", "regress")}


def save_half_plus(folder: Path, offset: float) -> None:
    """Write `x / 2 + offset` as a SavedModel into `folder`, which must not exist."""
    import tensorflow as tf

    v1 = tf.compat.v1
    graph = tf.Graph()
    with graph.as_default(), v1.Session(graph=graph) as session:
        examples = v1.placeholder(tf.string, [None], name="tf_example")
        features = {"x": tf.io.FixedLenFeature([1], tf.float32)}
        x = tf.identity(tf.io.parse_example(examples, features)["x"], name="x")
        slope = v1.get_variable("a", initializer=0.5)
        added = v1.get_variable("b", initializer=offset)
        y = tf.add(tf.multiply(slope, x), added, name="y")
        session.run(v1.global_variables_initializer())
        builder = v1.saved_model.Builder(str(folder))
        builder.add_meta_graph_and_variables(
            session, ["serve"], signature_def_map=signatures(examples, x, y)
        )
        builder.save()


def signatures(examples: Any, x: Any, y: Any) -> dict[str, Any]:
    """By name: tensors to predict from, and examples to regress and to classify.

    Shapes are static, and one input says that it is of floats, though its placeholder takes texts:
    in TensorFlow Serving's own file both are so.
    """
    import tensorflow as tf

    odd = signature("regress", {"inputs": examples}, {"outputs": y})
    odd.inputs["inputs"].dtype = tf.float32.as_datatype_enum
    return {
        "regress_x_to_y": odd,
        "serving_default": signature("predict", {"x": x}, {"y": y}),
        "tensorflow/serving/regress": signature("regress", {"inputs": examples}, {"outputs": y}),
        "classify_x_to_y": signature("classify", {"inputs": examples}, {"scores": y}),
    }


def signature(method: str, inputs: dict[str, Any], outputs: dict[str, Any]) -> Any:
    """A signature of one of TensorFlow Serving's methods."""
    import tensorflow as tf

    v1 = tf.compat.v1.saved_model
    described = [
        {name: v1.build_tensor_info(tensor) for name, tensor in side.items()}
        for side in (inputs, outputs)
    ]
    return v1.build_signature_def(*described, METHODS[method])
