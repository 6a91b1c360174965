"""Models by name and version, and which of them a request means."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from plumbline.errors import ModelNotFound
from plumbline.pipeline.stages import Pipeline

NAME = "tfs-model-name"
VERSION = "tfs-model-version"
"""The custom attributes by which SageMaker's TensorFlow Serving container chooses a model."""


@dataclass(frozen=True)
class LoadedModel:
    """A model that can answer."""

    name: str
    version: int
    pipeline: Pipeline
    signature_defs: Callable[[], Mapping[str, Any]] = dict
    """What TensorFlow Serving tells of its signatures, by name."""
    stages: tuple[Mapping[str, str], ...] = ()
    """What a request with a picture goes through: the name of each stage, and what it does."""

    def __str__(self) -> str:
        return f"{self.name}/{self.version}"


@dataclass(frozen=True)
class Registry:
    """Every loaded model: the default first, and of each name the highest version first."""

    models: tuple[LoadedModel, ...]
    load_seconds: float = 0.0
    archive: str = ""
    """The fingerprint of its manifest, if it has one."""

    @classmethod
    def of(cls, pipeline: Pipeline, name: str = "model", version: int = 1) -> Registry:
        """The registry of one model."""
        return cls((LoadedModel(name, version, pipeline),))

    @property
    def default(self) -> LoadedModel:
        """What answers a request that names no model."""
        return self.models[0]

    def choose(self, options: Mapping[str, Any]) -> LoadedModel:
        """The model that the request's options name. Raises `ModelNotFound`."""
        name, version = options.get(NAME, self.default.name), options.get(VERSION)
        for model in self.models:
            if model.name == name and version in (None, model.version):
                return model
        asked = f"Latest({name})" if version is None else f"Specific({name}, {version})"
        raise ModelNotFound(
            f"Servable not found for request: {asked}. {NAME} and {VERSION} can choose one of "
            f"{', '.join(map(str, self.models))}."
        )

    def versions(self, name: str, version: int | None = None) -> list[LoadedModel]:
        """Every version of a model, or the one that is asked. Raises `ModelNotFound`."""
        found = [
            model
            for model in self.models
            if model.name == name and version in (None, model.version)
        ]
        if found:
            return found
        if version is None:
            raise ModelNotFound(f"Could not find any versions of model {name}")
        raise ModelNotFound(f"Could not find version {version} of model {name}")
