"""What `GET /about` tells: the models that are served, and how they were proven."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import plumbline
from plumbline.loading.model_registry import LoadedModel
from plumbline.loading.served_model import Status
from plumbline.pipeline.loading_facts import Facts
from plumbline.pipeline.model_inputs import check_pictures, decodes_itself, image_size, is_turned
from plumbline.pipeline.stages import Pipeline
from plumbline.results import palette
from plumbline.results.task_results import Color
from plumbline.settings.server_settings import Settings
from plumbline.settings.variable_values import MEBIBYTE
from plumbline.spec.model_spec import ModelSpec
from plumbline.wire.requests import PICTURE_TYPES

MOST_LABELS = 100
"""What is listed of them for people."""


def of_server(status: Status, settings: Settings) -> dict[str, Any]:
    """What a server tells of itself, whether its models are loaded or not."""
    models = status.models.models if status.models else ()
    model = of_model(models[0]) if models else None
    archive = status.models.archive if status.models else ""
    limits = f"{settings.max_body // MEBIBYTE} MiB, {settings.max_pixels:,} pixels"
    return {
        "plumbline": plumbline.__version__,
        "state": status.state,
        "reason": status.reason,
        "title": str(models[0]) if models else "",
        "facts": [*(facts(model, archive) if model else ()), ("limits", limits)],
        "limits": {"body": settings.max_body, "pixels": settings.max_pixels},
        "accepts": list(PICTURE_TYPES),
        **colors_for(models[0].pipeline.spec if models else None),
        "archive": archive or None,
        "models": [str(model) for model in models],
        "model": model,
        "endpoint": None,
    }


def of_endpoint(name: str, region: str, variant: str | None, most_bytes: int) -> dict[str, Any]:
    """What is known of a SageMaker endpoint from outside; its models are not.

    Its `arguments` are boto3's, its `options` those of `plumbline predict`.
    """
    where = ("--endpoint", name, "--region", region)
    return {
        "plumbline": plumbline.__version__,
        "state": "ready",
        "reason": f"The endpoint {name} is asked in {region}.",
        "title": f"endpoint {name}",
        "facts": [
            ("endpoint", name),
            ("region", region),
            ("variant", variant or "by the variants' traffic weights"),
            ("limits", f"{most_bytes // MEBIBYTE} MiB, 4 MiB of a serverless endpoint"),
        ],
        "limits": {"body": most_bytes, "pixels": None},
        "accepts": list(PICTURE_TYPES),
        **colors_for(None),
        "archive": None,
        "models": [],
        "model": None,
        "endpoint": {
            "region": region,
            "arguments": {"EndpointName": name, **({"TargetVariant": variant} if variant else {})},
            "options": [*where, *(("--variant", variant) if variant else ())],
        },
    }


def colors_for(spec: ModelSpec | None) -> dict[str, list[str]]:
    """The colour of each class, and of what is written on it, as answers are drawn."""
    declared = spec.segmentation.palette if spec and spec.task == "segmentation" else None
    colors = declared or palette.colors(palette.DISTINCT)
    return {"colors": written(colors), "inks": written(map(palette.readable_on, colors))}


def of_model(model: LoadedModel) -> dict[str, Any]:
    """What one model expects, what computes it, and what its golden pictures showed."""
    pipeline = model.pipeline
    spec, labels = pipeline.spec, pipeline.task.labels
    no_pictures = check_pictures(spec, pipeline.signature)
    return {
        "name": model.name,
        "version": model.version,
        "task": spec.task,
        "labels": None if labels is None else list(labels),
        "format": spec.response.format,
        "no_pictures": no_pictures,
        **({"size": None, "turned": False} if no_pictures else of_input(pipeline)),
        "stages": list(model.stages),
        "engine": pipeline.engine.name,
        "precision": pipeline.facts.form or None,
        "golden": told(pipeline.facts),
    }


def of_input(pipeline: Pipeline) -> dict[str, Any]:
    """The size `[height, width]` of the model's pictures, and whether EXIF turns them."""
    target = pipeline.engine.signature.input()
    size = None if decodes_itself(target) else image_size(pipeline.spec, target)
    return {"size": size and list(size), "turned": is_turned(pipeline.spec, target)}


def facts(model: Mapping[str, Any], archive: str) -> Iterator[tuple[str, str]]:
    """The same for people: what it is, and what is said of it."""
    if model["no_pictures"]:
        yield "pictures", model["no_pictures"]
    labels, size, golden = model["labels"], model["size"], model["golden"]
    yield "task", model["task"]
    named = f"{len(labels)}: {', '.join(labels[:MOST_LABELS])}" if labels else ""
    more = ", …" if labels and len(labels) > MOST_LABELS else ""
    yield "labels", f"{named}{more}" or "none: classes are answered by their number"
    yield "input", f"{size[1]}×{size[0]} pixels" if size else "pictures of their own size"
    done = "; ".join(f"{each['stage']} {each['does']}" for each in model["stages"])
    yield "stages", done or "not described"
    precision = f", in {model['precision']}" if model["precision"] else ""
    yield "engine", f"{model['engine']}{precision}"
    yield "golden check", checked(golden) if golden else "none: nothing was compared"
    yield "archive", archive or "without a manifest"


def checked(golden: Mapping[str, Any]) -> str:
    """What the golden pictures showed."""
    return (
        f"passed: {golden['pictures']} pictures; the largest difference is "
        f"{golden['worst_ratio']:.2g} of what is allowed"
    )


def told(facts: Facts) -> dict[str, Any] | None:
    """The golden check's result; None where nothing was compared."""
    if not facts.goldens:
        return None
    return {"pictures": facts.goldens, "worst_ratio": facts.worst_ratio}


def written(colors: Iterable[Color]) -> list[str]:
    """Colours as the web has them."""
    return [f"#{red:02x}{green:02x}{blue:02x}" for red, green, blue in colors]
