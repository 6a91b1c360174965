"""Whether the graph of a SavedModel does nothing but compute.

TensorFlow's operations read and write files, call Python, and wait for other machines, and a graph
is run before anybody has asked for anything. So only those are let through that answering a request
takes: inference_operations.txt names them. Nothing is run to find out.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from functools import cache
from pathlib import Path, PurePosixPath
from types import MappingProxyType

from plumbline.archive.damage import told
from plumbline.archive.graph_nodes import Call
from plumbline.archive.saved_graph import SavedGraph
from plumbline.archive.saved_model import (
    SERVE,
    Message,
    message,
    tags_of,
    text,
    told_of_damage,
)
from plumbline.errors import EngineError, UnsafeModel

SAVERS = frozenset(
    {"MergeV2Checkpoints", "Restore", "RestoreSlice", "RestoreV2", "Save", "SaveSlices", "SaveV2"}
)
"""What reads and writes weights: it may stand in a graph, but nothing that is served may run it."""

RESTORERS = frozenset({"Restore", "RestoreSlice", "RestoreV2"})
"""What may be run to read the weights."""

TABLES_OF_FILES = frozenset({"InitializeTableFromTextFile", "InitializeTableFromTextFileV2"})
"""What reads a vocabulary: it may be a file of the model's own assets/, and no other."""

PYTHON = frozenset({"EagerPyFunc", "PyFunc", "PyFuncStateless"})

PRINT = "PrintV2"

REASONS: Mapping[str, str] = MappingProxyType(
    {
        **dict.fromkeys(PYTHON, "calls Python functions, which are not in the file"),
        **dict.fromkeys(TABLES_OF_FILES, "reads a file that is not in its assets/"),
        **dict.fromkeys(SAVERS, "reads or writes checkpoints"),
        PRINT: "prints into a file",
    }
)
"""What is said of some operations; of all others, that answering takes none such."""

MOST_NAMED = 5


@cache
def known() -> frozenset[str]:
    """The operations that inference takes."""
    file = Path(__file__).with_name("inference_operations.txt")
    return frozenset(file.read_text("utf-8").split())


def check(folder: Path, allowed: Collection[str] = (), source: str = "") -> None:
    """Raise `UnsafeModel` if the SavedModel in `folder` does more than compute.

    `allowed` names operations that whoever serves it lets through, `source` the file that it was
    made of. Raises `EngineError` for a damaged file.
    """
    if (folder / "saved_model.cpb").exists():
        raise EngineError(
            f"{folder.name}/saved_model.cpb is a SavedModel in parts, which is not read here; "
            "save it again without experimental_image_format."
        )
    source = source or f"{folder.name}/saved_model.pb"
    with told_of_damage(folder):
        graphs = [SavedGraph(meta) for meta in loadable(folder)]
        found = sorted({op for graph in graphs for op in refused(graph)} - set(allowed))
        outside = sorted(
            name for graph in graphs for name in graph.asset_files() if leads_out(name)
        )
    if outside:
        raise UnsafeModel(
            f"{source} is refused: {outside[0]!r} is no asset. "
            "Where it was made, export() or save() puts such files into assets/ again."
        )
    if found:
        raise UnsafeModel(sentence(source, found))


def loadable(folder: Path) -> list[Message]:
    """The graphs that may be loaded: the one for serving, or else what comes next to it."""
    with told(f"{folder.name}/saved_model.pb", "the system"):
        data = (folder / "saved_model.pb").read_bytes()
    graphs = [message(graph) for graph in message(data)[2]]
    exactly = [graph for graph in graphs if tags_of(graph) == [SERVE]]
    return exactly or [graph for graph in graphs if SERVE in tags_of(graph)] or graphs


def refused(graph: SavedGraph) -> Iterator[str]:
    """The operations that are not let through."""
    for reach, more in ((graph.served, ()), (graph.restored, RESTORERS)):
        for call in graph.within(reach):
            for op in call.node.ops:
                if not (op in graph.functions or op in more or is_harmless(graph, call, op)):
                    yield op


def is_harmless(graph: SavedGraph, call: Call, op: str) -> bool:
    """Whether an operation only computes, where it stands."""
    if op in TABLES_OF_FILES:
        return not graph.asked.holds(call) and graph.is_asset(call.scope, call.node.inputs[1])
    if op == PRINT:
        targets = [text(one) for _, value in call.node.attributes() for one in value[2]]
        return not any("://" in target for target in targets)
    return op in known()


def leads_out(asset: str) -> bool:
    """Whether the name of an asset leads out of assets/."""
    path = PurePosixPath(asset)
    return path.is_absolute() or ".." in path.parts or "://" in asset


def sentence(name: str, found: list[str]) -> str:
    """Why it is refused, and the way out."""
    said = [f"{op} ({REASONS.get(op, 'not one that answering takes')})" for op in found]
    more = f" and {len(said) - MOST_NAMED} more" if len(said) > MOST_NAMED else ""
    if PYTHON.issuperset(found):
        way_out = "Write that part in TensorFlow's own functions, and export the model again."
    else:
        way_out = (
            "Export the model without it; if you trust the model with that, set "
            f"PLUMBLINE_ALLOW_OPS={','.join(found)}."
        )
    return (
        f"{name} is refused, because its graph does more than compute: it has "
        f"{', '.join(said[:MOST_NAMED])}{more}. {way_out}"
    )
