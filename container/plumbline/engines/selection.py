"""A model, whatever kind of file it lies in → an engine."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from types import MappingProxyType

from plumbline.archive.discovery import ModelFile
from plumbline.engines.absent import AbsentEngine
from plumbline.engines.base import Engine
from plumbline.engines.keras import load_keras
from plumbline.engines.tensorflow import load_saved_model
from plumbline.errors import EngineError

Loader = Callable[[ModelFile, str, int, Collection[str]], Engine]
"""Model, name of its signature, threads, operations that are let through → engine."""

LOADERS: Mapping[str, Loader] = MappingProxyType(
    {
        "saved_model": lambda model, name, threads, _: load_saved_model(model.path, name, threads),
        "keras": load_keras,
        "h5": load_keras,
        "json": load_keras,
        "code": lambda *_: AbsentEngine(),
    }
)


def load_engine(
    model: ModelFile, signature: str, threads: int, allow_ops: Collection[str] = ()
) -> Engine:
    """The model, ready to run. Raises a `ModelError`."""
    try:
        return LOADERS[model.kind](model, signature, threads, allow_ops)
    except ModuleNotFoundError as exc:
        raise EngineError(
            f"This server has no {exc.name}, which {model.path.name} needs, as nothing else "
            "computes it rightly here. Make the archive with plumbline pack and golden pictures, "
            "which lets OpenVINO compute it, or take the image with TensorFlow."
        ) from exc
