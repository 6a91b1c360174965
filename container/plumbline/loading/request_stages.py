"""What a request with a picture goes through, stage by stage, in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from typing import Any

from plumbline.archive.contents import Archive
from plumbline.handlers.handler_summary import handler
from plumbline.loading.inspection import Inspection, declared_in
from plumbline.pipeline.model_inputs import decodes_itself
from plumbline.pipeline.picture_view import PLAIN, view_of
from plumbline.pipeline.stages import Pipeline
from plumbline.signature import TensorSpec
from plumbline.spec.toml_writer import toml_value


def served(archive: Archive, pipeline: Pipeline) -> tuple[Mapping[str, str], ...]:
    """The stages of a model that is loaded, whatever of them its network does itself."""
    spec = replace(pipeline.spec, preprocess=archive.spec.preprocess)
    signatures = {spec.model.signature: pipeline.signature}
    declared = declared_in(archive.root)
    found = Inspection(replace(archive, spec=spec), "", signatures, declared, verified=False)
    return told(found)


def told(found: Inspection) -> tuple[Mapping[str, str], ...]:
    """The stages, for scripts."""
    return tuple({"stage": stage, "does": text} for stage, text in stages(found))


def is_declared(found: Inspection, table: str, key: str) -> bool:
    """Whether plumbline.toml sets this key itself."""
    return key in found.declared.get(table, {})


def preprocessing(found: Inspection) -> dict[str, Any]:
    """The `[preprocess]` table as it will be applied."""
    table = asdict(found.archive.spec.preprocess)
    size = list(found.size) if found.size else None
    view = None if found.no_pictures else view_of(found.archive.spec, found.signature)
    layout = view.layout if view else PLAIN
    return {**table, "layout": layout, **found.declared.get("preprocess", {}), "size": size}


def stages(found: Inspection) -> Iterator[tuple[str, str]]:
    """What a request with a picture goes through: the name of each stage, and what it does."""
    spec, signature = found.archive.spec, found.signature
    if called := handler(found.archive):
        names = ", ".join(called["replaces"])
        yield "call", f"{names} in {called['file']}, instead of what they replace"
    if found.no_pictures:
        yield "refuse", f"{found.no_pictures} Tensors, as application/json, are answered."
        return
    yield from prepared(found)
    yield (
        "infer",
        f"{found.archive.spec.model.signature}: {named(signature.inputs)} → "
        + named(signature.outputs),
    )
    settings = asdict(getattr(spec, spec.task)) if hasattr(spec, spec.task) else {}
    told = ", ".join(
        f"{key} {words(value)}" for key, value in settings.items() if value is not None
    )
    yield spec.task, told or "the outputs as they are"
    yield "encode", "as the Accept header asks, JSON by default"


def prepared(found: Inspection) -> Iterator[tuple[str, str]]:
    """How a picture becomes the model's input."""
    how, applied = found.archive.spec.preprocess, preprocessing(found)
    if decodes_itself(found.target):
        yield "pass on", "the picture's file as it is: the model decodes it itself"
        return
    turned = ", turned upright by EXIF" if how.exif else ""
    yield "decode", f"the picture by {how.decoder} to {how.color.upper()}{turned}"
    if found.size:
        height, width = found.size
        yield "resize", f"to {height}×{width} (height×width) by {how.resize}, {how.fit}"
    else:
        padded = f", padded with black to multiples of {how.multiple_of}"
        yield "keep", f"the picture's own size{padded if how.multiple_of else ''}"
    yield "normalize", f"{words(applied['normalize'])}, as {found.target.dtype}"
    if (view := view_of(found.archive.spec, found.signature)) is not None:
        beside = ", ".join(f"{name} as declared" for name in view.constants)
        yield "lay", f"{view.layout}, as {view.own}{beside and f'; {beside}'}"


def words(value: Any) -> str:
    """A value as plumbline.toml would have it, but a text without its quotes."""
    if value is None:
        return "not set"
    return value if isinstance(value, str) else toml_value(value)


def named(tensors: tuple[TensorSpec, ...]) -> str:
    """The names of some tensors."""
    return ", ".join(tensor.name for tensor in tensors)
