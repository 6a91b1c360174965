"""The functions of a user's code/inference.py: which there may be together, what each replaces."""

from __future__ import annotations

import ast
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import suppress
from types import MappingProxyType

from plumbline.archive.handler_errors import HandlerError

SERVING: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "handler": ("data", "context"),
        "input_handler": ("data", "context"),
        "output_handler": ("response", "context"),
    }
)
"""What SageMaker's TensorFlow Serving container calls, and with what."""

TOOLKIT: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "pre_model_fn": ("model_dir",),
        "model_fn": ("model_dir",),
        "model_warmup_fn": ("model_dir", "model"),
        "input_fn": ("data", "content_type"),
        "predict_fn": ("data", "model"),
        "output_fn": ("prediction", "accept"),
        "transform_fn": ("model", "data", "content_type", "accept"),
    }
)
"""What SageMaker's inference toolkit calls; each may take a `context` after these."""

PARAMETERS: Mapping[str, tuple[str, ...]] = MappingProxyType({**SERVING, **TOOLKIT})

REPLACED: Mapping[str, str] = MappingProxyType(
    {
        "handler": "everything between the request and its answer",
        "input_handler": "reading the request: it writes one to TensorFlow Serving",
        "output_handler": "writing the answer, from that of TensorFlow Serving",
        "pre_model_fn": "what comes before the model is loaded",
        "model_fn": "loading the model",
        "model_warmup_fn": "warming up the model",
        "input_fn": "reading the request",
        "predict_fn": "running the model",
        "output_fn": "writing the answer",
        "transform_fn": "everything between the request and its answer",
    }
)
"""What each function does in the house's stead."""

CLASHES: tuple[tuple[str, frozenset[str]], ...] = (
    ("handler", frozenset(SERVING) - {"handler"}),
    ("transform_fn", frozenset({"input_fn", "predict_fn", "output_fn"})),
)
"""A function that does all, and those that do a part of it."""

ADVICE = (
    "Define handler(data, context); or input_handler(data, context) and output_handler(response, "
    "context); or some of model_fn, input_fn, predict_fn and output_fn; or transform_fn."
)


def chosen(names: Collection[str], file: str) -> tuple[str, ...]:
    """Those of the names that are called, all of one dialect. Raises `HandlerError`."""
    serving, toolkit = ([name for name in known if name in names] for known in (SERVING, TOOLKIT))
    if serving and toolkit:
        raise HandlerError(
            f"{file} mixes {', '.join(serving)}, of the TensorFlow Serving container, with "
            f"{', '.join(toolkit)}, of the inference toolkit: which are meant? {ADVICE}"
        )
    for whole, parts in CLASHES:
        if whole in names and (doubled := sorted(parts & set(names))):
            raise HandlerError(
                f"{file} defines {whole}, which does everything, and beside it "
                f"{', '.join(doubled)}: which are meant? {ADVICE}"
            )
    if len(serving) == 1 and "handler" not in serving:
        (other,) = {"input_handler", "output_handler"} - set(serving)
        raise HandlerError(f"{file} defines {serving[0]} without {other}. {ADVICE}")
    if not serving and not toolkit:
        raise HandlerError(f"{file} defines no function that is called here. {ADVICE}")
    return tuple(serving or toolkit)


Starred = Callable[[str], Collection[str]]
"""What `from module import *` binds, by the module's name, its dots before it."""


def names_in(source: str, file: str, starred: Starred) -> set[str]:
    """The names that a module has at its top once it is run, found without running it.

    Raises `HandlerError` for what is not Python.
    """
    return set(bound(parsed(source, file).body, starred))


def exported_from(source: str, file: str, starred: Starred) -> set[str]:
    """The names that another module gets by `import *`. Raises `HandlerError`."""
    body = parsed(source, file).body
    for node in body:
        if isinstance(node, ast.Assign) and "__all__" in bound([node], starred):
            with suppress(ValueError, TypeError):  # it is computed: who knows
                return set(ast.literal_eval(node.value))
    return {name for name in bound(body, starred) if not name.startswith("_")}


def parsed(source: str, file: str) -> ast.Module:
    """The module's statements."""
    try:
        return ast.parse(source, file)
    except (SyntaxError, ValueError) as exc:  # ValueError: for a null byte
        line = getattr(exc, "lineno", None)
        place = f", line {line}" if line else ""
        raise HandlerError(f"{file}{place}: {getattr(exc, 'msg', exc)}.") from exc


def bound(body: list[ast.stmt], starred: Starred) -> Iterator[str]:
    """The names that statements bind, those inside `if` and `try` among them."""
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.ImportFrom) and node.names[0].name == "*":
            yield from starred("." * node.level + (node.module or ""))
        elif isinstance(node, ast.Import | ast.ImportFrom):
            yield from (alias.asname or alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.Assign):
            yield from (name for target in node.targets for name in targeted(target))
        elif isinstance(node, ast.AnnAssign):
            yield from targeted(node.target) if node.value else ()
        else:
            for part in ("body", "orelse", "finalbody", "handlers"):
                yield from bound(getattr(node, part, []), starred)


def targeted(target: ast.expr) -> Iterator[str]:
    """The names to which something is assigned, alone or among several."""
    if isinstance(target, ast.Name):
        yield target.id
    elif isinstance(target, ast.Tuple | ast.List):
        yield from (name for one in target.elts for name in targeted(one))
