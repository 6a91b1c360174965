"""Graphs as TensorFlow writes them, and its own register of operations."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from plumbline.archive import graph_operations
from plumbline.archive.graph_nodes import FUNCTIONAL
from plumbline.archive.graph_operations import check, known
from plumbline.errors import UnsafeModel

pytestmark = pytest.mark.tensorflow

Compute = Callable[[Any], Any]


@pytest.fixture(scope="module")
def registered() -> Any:
    """Every operation that TensorFlow knows, as it describes itself."""
    from tensorflow.core.framework import op_def_pb2
    from tensorflow.python.client import pywrap_tf_session as session

    found = op_def_pb2.OpList()
    found.ParseFromString(session.TF_GetBuffer(session.TF_GetAllOpList()))
    return {op.name: op for op in found.op}


REACHES_OUT = re.compile(
    "file|(^|_)path(_|$)|url|address|dir$|memory_region|descriptor_source|^token$|uri|container_name"
)
"""What an input or a setting is called by which an operation learns of something outside."""

NAMES_NO_FILE = frozenset({"ShardedFilename", "ShardedFilespec"})
"""They only join texts."""


def test_only_operations_of_tensorflow_are_let_through(registered: Any) -> None:
    assert known() - registered.keys() == set()


def test_nothing_that_is_let_through_takes_the_name_of_something_outside(registered: Any) -> None:
    outside = {
        name: [one.name for one in (*op.input_arg, *op.attr) if REACHES_OUT.search(one.name)]
        for name, op in registered.items()
        if name in known() - NAMES_NO_FILE
    }
    assert {name: found for name, found in outside.items() if found} == {}


def test_what_calls_functions_is_known_to(registered: Any) -> None:
    calling = {
        name
        for name in known()
        if any(one.type in ("func", "list(func)") for one in registered[name].attr)
    }
    assert calling - FUNCTIONAL == set()


def test_every_plain_computation_is_let_through(registered: Any) -> None:
    """Those without a state, but for tests, datasets, and what belongs to other machines."""
    foreign = re.compile(
        "Dataset|Iterator|^Debug|^Copy|TPU|Tpu|^Risc|^_|DTensor|PyFunc|SparseCore|XlaSparse|"
        "Queue|Reader|Barrier|Accumulator|Infeed|Prelinearize|XlaCustomCall|CSRW|Experimental"
    )
    library = {
        name
        for name, op in registered.items()
        if op.summary or not (op.is_stateful or foreign.search(name))
    }
    kinds = ("Conv", "Resize", "Decode", "Parse", "String", "Image", "Quantize", "FakeQuant")
    wanted = {name for name in library if name.startswith(kinds)}
    left = {"DecodeProtoV2", "ParseExampleDataset", "ParseExampleDatasetV2", "ConvertToCooTensor"}
    sparse = {name for name in wanted if name.startswith("ConvertTo")}
    assert wanted - known() - left - sparse - {"StringListAttr"} == set()


def saved(folder: Path, compute: Compute) -> Path:
    """A SavedModel that computes this from pictures."""
    import tensorflow as tf

    module = tf.Module()
    spec = tf.TensorSpec([None, 8, 8, 3], tf.float32, name="x")
    module.serve = tf.function(lambda x: {"y": compute(x)}, input_signature=[spec])
    tf.saved_model.save(module, str(folder), signatures=module.serve)
    return folder


def before(x: Any, *done: Any) -> Any:
    """The pictures as they are, once that is done."""
    import tensorflow as tf

    with tf.control_dependencies(list(done)):
        return tf.identity(x)


def raw() -> Any:
    """TensorFlow's operations as they are registered."""
    import tensorflow as tf

    return tf.raw_ops


def in_a_loop(x: Any) -> Any:
    import tensorflow as tf

    def step(number: Any, found: Any) -> Any:
        return number + 1, before(found, raw().ReadFile(filename="/etc/passwd"))

    return tf.while_loop(lambda number, _: number < 2, step, (0, x))[1]


def python(x: Any) -> Any:
    import tensorflow as tf

    return tf.ensure_shape(tf.py_function(lambda v: v, [x], tf.float32), [None, 8, 8, 3])


def prints_into_a_file(x: Any) -> Any:
    return before(x, raw().PrintV2(input="printed", output_stream="file://canary", end=""))


def tells_a_debugger(x: Any) -> Any:
    where = {"tfdbg_context_id": "", "op_name": "", "output_slot": 0}
    return raw().DebugIdentityV2(input=x, debug_urls=["file://canary"], **where)


def saves(x: Any) -> Any:
    names = {"tensor_names": ["w"], "shape_and_slices": [""]}
    return before(x, raw().SaveV2(prefix="canary", tensors=[[1.0]], **names))


def restores(x: Any) -> Any:
    names = {"tensor_names": ["w"], "shape_and_slices": [""]}
    return x + raw().RestoreV2(prefix="other", dtypes=["float32"], **names)[0]


REFUSED: dict[str, tuple[str, Compute]] = {
    "reads": ("ReadFile", lambda x: before(x, raw().ReadFile(filename="/etc/passwd"))),
    "reads in a loop": ("ReadFile", in_a_loop),
    "writes": ("WriteFile", lambda x: before(x, raw().WriteFile(filename="canary", contents="x"))),
    "lists": ("MatchingFiles", lambda x: before(x, raw().MatchingFiles(pattern="/*"))),
    "prints": ("PrintV2", prints_into_a_file),
    "debugs": ("DebugIdentityV2", tells_a_debugger),
    "calls Python": ("EagerPyFunc", python),
    "saves": ("SaveV2", saves),
    "restores": ("RestoreV2", restores),
}


@pytest.mark.parametrize("does", list(REFUSED))
def test_what_does_more_than_compute_is_refused_by_its_name(tmp_path: Path, does: str) -> None:
    op, compute = REFUSED[does]
    folder = saved(tmp_path / "1", compute)
    with pytest.raises(UnsafeModel, match=rf"has {op} \("):
        check(folder)
    check(folder, [op])


def test_what_is_printed_into_the_log_does_no_harm(tmp_path: Path) -> None:
    check(saved(tmp_path / "1", lambda x: before(x, raw().PrintV2(input="printed"))))


def with_vocabulary(folder: Path, file: Path) -> Path:
    """A SavedModel that looks texts up in a vocabulary, which becomes its own asset."""
    import tensorflow as tf

    class Lookup(tf.Module):
        def __init__(self) -> None:
            whole, number = tf.lookup.TextFileIndex.WHOLE_LINE, tf.lookup.TextFileIndex.LINE_NUMBER
            found = tf.lookup.TextFileInitializer(str(file), tf.string, whole, tf.int64, number)
            self.table = tf.lookup.StaticHashTable(found, -1)
            self.weight = tf.Variable(2.0)

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="text")])
        def serve(self, text: Any) -> Any:
            return {"y": tf.cast(self.table.lookup(text), tf.float32) * self.weight}

    module = Lookup()
    tf.saved_model.save(module, str(folder), signatures=module.serve)
    return folder


def test_a_vocabulary_is_read_from_the_models_own_assets_alone(tmp_path: Path) -> None:
    from tensorflow.core.protobuf import saved_model_pb2

    vocabulary = tmp_path / "words.txt"
    vocabulary.write_text("cat\ndog\n")
    folder = with_vocabulary(tmp_path / "1", vocabulary)
    check(folder)
    file = folder / "saved_model.pb"
    whole = file.read_bytes()

    message = saved_model_pb2.SavedModel.FromString(whole)
    message.meta_graphs[0].asset_file_def[0].filename = "../../../etc/passwd"
    file.write_bytes(message.SerializeToString())
    with pytest.raises(UnsafeModel, match="no asset"):
        check(folder)

    message = saved_model_pb2.SavedModel.FromString(whole)
    del message.meta_graphs[0].asset_file_def[:]
    file.write_bytes(message.SerializeToString())
    with pytest.raises(UnsafeModel, match="InitializeTableFromTextFileV2"):
        check(folder)

    message = saved_model_pb2.SavedModel.FromString(whole)
    objects = message.meta_graphs[0].object_graph_def
    kinds = [node.WhichOneof("kind") for node in objects.nodes]
    (name,) = [name for name in objects.concrete_functions if "initializer" in name]
    objects.concrete_functions[name].bound_inputs[0] = kinds.index("constant")
    file.write_bytes(message.SerializeToString())
    with pytest.raises(UnsafeModel, match="InitializeTableFromTextFileV2"):
        check(folder)


def test_what_only_training_ran_does_no_harm(tmp_path: Path) -> None:
    """A model of TensorFlow 1, saved from the session that trained it."""
    import tensorflow as tf

    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        raw_bytes = tf.io.read_file("/etc/passwd", name="training_data")
        v1.summary.histogram("bytes", tf.cast(tf.strings.length(raw_bytes), tf.float32))
        x = v1.placeholder(tf.float32, [None, 4], name="x")
        y = tf.matmul(x, v1.get_variable("w", [4, 2]))
        session.run(v1.global_variables_initializer())
        v1.saved_model.simple_save(session, str(tmp_path / "1"), {"x": x}, {"y": y})
    check(tmp_path / "1")


def test_words_and_numbers_of_the_sentence(tmp_path: Path) -> None:
    folder = saved(tmp_path / "1", python)
    with pytest.raises(UnsafeModel) as refused:
        check(folder)
    assert str(refused.value) == (
        "1/saved_model.pb is refused, because its graph does more than compute: it has "
        "EagerPyFunc (calls Python functions, which are not in the file). Write that part in "
        "TensorFlow's own functions, and export the model again."
    )
    assert set(graph_operations.PYTHON).isdisjoint(known())
