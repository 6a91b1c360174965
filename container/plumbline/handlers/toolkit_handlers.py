"""Handlers for SageMaker's inference toolkit: `model_fn`, `input_fn`, `predict_fn`, `output_fn`,
`transform_fn`.

With `model_fn` the model is the user's, and the toolkit's defaults stand for what is missing.
Without it the model is the house's, and so are the stages that no function names.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from plumbline.archive.handler_errors import HandlerError, HandlerFailed, HandlerRefused
from plumbline.errors import InvalidInstances
from plumbline.handlers.replaced_stages import Named, of_picture
from plumbline.handlers.return_values import ANY, answer, article
from plumbline.handlers.toolkit_bodies import as_given, decode, default_predict, encode
from plumbline.handlers.toolkit_context import ToolkitContext
from plumbline.handlers.user_code import Stage, Stages
from plumbline.pipeline.picture_view import view_of
from plumbline.pipeline.stages import Pipeline
from plumbline.pipeline.stopwatch import Timing
from plumbline.results.task_results import Failure
from plumbline.vision.arrays import Tensors
from plumbline.vision.geometry import Geometry
from plumbline.wire import tf_serving_responses
from plumbline.wire.requests import Pictures, Request, read
from plumbline.wire.responses import JSON, Response, negotiate
from plumbline.wire.tensor_bodies import Array, Inputs, to_tensor


@dataclass(frozen=True)
class HouseModel:
    """The archive's own model, as a user's predict_fn or transform_fn calls it."""

    pipeline: Pipeline
    timing: Timing

    def predict(self, data: Any) -> Any:
        """The output `[batch, …]`, or several by name, for an array or for arrays by name."""
        outputs = run(self.pipeline, data, "the handler", self.timing)
        return next(iter(outputs.values())) if len(outputs) == 1 else outputs

    __call__ = predict


@dataclass(frozen=True)
class Call:
    """One request on its way through the functions."""

    pipeline: Pipeline
    request: Request
    context: ToolkitContext
    timing: Timing
    accept: str


@dataclass(frozen=True)
class ToolkitHandler:
    """The functions, and what model_fn returned."""

    stages: Stages
    model_dir: str
    model: Any = None

    @property
    def incomparable(self) -> str:
        """Why golden pictures can't be compared with anything."""
        return "transform_fn computes answers by itself" * ("transform_fn" in self.stages)

    @property
    def reads(self) -> bool:
        """Whether requests are read by the user's code."""
        return not self.stages.keys().isdisjoint(("input_fn", "transform_fn", "model_fn"))

    def answer(
        self,
        pipeline: Pipeline,
        model: Named,  # noqa: ARG002
        request: Request,
        timing: Timing,
    ) -> Response:
        """The answer to a request."""
        accept = JSON if request.accept in ANY else request.accept
        context = ToolkitContext(self.model_dir, request.headers)
        call = Call(pipeline, request, context, timing, accept)
        if "transform_fn" in self.stages:
            body = as_given(request.body, request.content_type)
            arguments = (self.model_for(call), body, request.content_type, accept)
            return self.written("transform_fn", self.called("transform_fn", call, *arguments), call)
        data, by_columns = self.read(call)
        return self.write(self.predict(data, call), by_columns, call)

    def called(self, name: str, call: Call, *arguments: Any) -> Any:
        """What one function returns."""
        with call.timing.watch.lap(name):
            return self.stages[name](*arguments, context=call.context)

    def model_for(self, call: Call) -> Any:
        """The model that functions are given."""
        if "model_fn" in self.stages:
            return self.model
        return HouseModel(call.pipeline, call.timing)

    def read(self, call: Call) -> tuple[Any, bool]:
        """What predict_fn gets, and whether the answer is to be in columns."""
        request = call.request
        if "input_fn" in self.stages:
            body = as_given(request.body, request.content_type)
            return self.called("input_fn", call, body, request.content_type), False
        if "model_fn" in self.stages:
            return decode(request.body, request.content_type), False
        return house_read(call)

    def predict(self, data: Any, call: Call) -> Any:
        """What output_fn gets: whatever predict_fn returns; outputs by name are the house's."""
        if "predict_fn" in self.stages:
            return self.called("predict_fn", call, data, self.model_for(call))
        if "model_fn" in self.stages:
            with call.timing.watch.lap("predict"):
                return getattr(self.model, "predict", self.model)(data)
        with call.timing.watch.lap("infer"):
            return run(call.pipeline, data, "input_fn", call.timing)

    @property
    def predicts(self) -> bool:
        """Whether predictions are the user's own."""
        return not self.stages.keys().isdisjoint(("predict_fn", "model_fn"))

    def write(self, prediction: Any, by_columns: bool, call: Call) -> Response:
        """The answer that is made of a prediction."""
        if "output_fn" in self.stages:
            if not self.predicts and len(prediction) == 1:
                (prediction,) = prediction.values()
            returned = self.called("output_fn", call, prediction, call.accept)
            return self.written("output_fn", returned, call)
        if self.predicts:
            return encode(prediction, call.accept)
        return tf_serving_responses.encode(
            prediction, negotiate(call.accept), by_columns=by_columns
        )

    def written(self, name: str, returned: Any, call: Call) -> Response:
        """What a function returned, with the type and the status that were set on the way."""
        made = answer(returned, name, call.context.content_type or call.accept)
        status, phrase = call.context.status
        if status < 400:
            return made
        words = phrase or made.body.decode(errors="replace")
        raise HandlerRefused(words, status) if status < 500 else HandlerFailed(words, status)

    def alone(self, pipeline: Pipeline, picture: bytes, timing: Timing) -> tuple[Tensors, Geometry]:
        """The outputs `[1, …]` for a golden picture."""
        if not self.reads and not self.predicts:
            return pipeline.alone(picture, timing.left)
        context = ToolkitContext(self.model_dir)

        def predicted(content_type: str) -> Tensors:
            request = Request(picture, content_type)
            call = Call(pipeline, request, context, timing, JSON)
            return named(self.predict(self.read(call)[0], call))

        return of_picture(picture, predicted), Geometry.whole((1, 1))


def house_read(call: Call) -> tuple[Tensors, bool]:
    """The model's inputs by name, as the house reads a request."""
    pipeline, signature = call.pipeline, call.pipeline.signature
    payload = read(call.request, pipeline.max_instances)
    if not isinstance(payload, Pictures):
        return payload.tensors(signature), isinstance(payload, Inputs)
    pipeline.check_pictures()
    made = [
        pipeline.prepared(item, call.timing)
        for item in pipeline.fetched(payload.items, call.timing)
    ]
    for one in made:
        if isinstance(one, Failure):
            raise one.error
    tensors = [one.tensor for one in made if not isinstance(one, Failure)]
    if len({tensor.shape for tensor in tensors}) > 1:
        raise InvalidInstances("The pictures have several sizes; send each by itself.")
    view, batch = view_of(pipeline.spec, signature), np.stack(tensors)
    return view.inputs(batch) if view else {signature.input().name: batch}, False


def run(pipeline: Pipeline, data: Any, name: str, timing: Timing) -> Tensors:
    """The outputs of the archive's own model for what the function `name` made.

    Raises `HandlerFailed` where that is not what the model takes.
    """
    engine = pipeline.signed(None)
    try:
        if isinstance(data, Mapping):
            wanted = {spec.name: spec for spec in engine.signature.inputs}
            inputs = {key: to_tensor(numeric(data[key]), spec) for key, spec in wanted.items()}
        else:
            inputs = Array(numeric(data)).tensors(engine.signature)
    except (InvalidInstances, KeyError, TypeError, ValueError) as exc:
        takes = ", ".join(map(str, engine.signature.inputs))
        raise HandlerFailed(
            f"{name} gave the model {described(data)}, but it takes {takes}."
        ) from exc
    return engine.run(inputs, timing.left)


def numeric(data: Any) -> np.ndarray:
    """An array of numbers, or of texts. Raises `TypeError` or `ValueError`."""
    array = np.asarray(data)
    return array.astype(object) if array.dtype.kind in "SU" else array


def described(data: Any) -> str:
    """A value by its type, and its shape where it has one."""
    shape = getattr(data, "shape", None)
    return article(data) if shape is None else f"{article(data)} of the shape {list(shape)}"


def named(prediction: Any) -> Tensors:
    """A prediction as outputs by name. Raises `HandlerError` where it can't be compared."""
    given = prediction if isinstance(prediction, Mapping) else {"output": prediction}
    outputs = {name: np.asarray(value) for name, value in given.items()}
    if any(array.dtype.kind not in "biuf" for array in outputs.values()):
        raise HandlerError(
            f"predict_fn returned {article(prediction)}, which golden pictures can't be compared "
            "with: let it return an array, or arrays by name, or leave the golden pictures out of "
            "the archive."
        )
    return outputs


def ready(stages: Stages, model_dir: str) -> ToolkitHandler:
    """The handler, its model loaded by model_fn where there is one. Raises `HandlerError`."""
    if "pre_model_fn" in stages:
        at_load(stages["pre_model_fn"], model_dir)
    warm_up, stage = stages.get("model_warmup_fn"), stages.get("model_fn")
    if stage is None:
        if warm_up is not None:
            raise HandlerError(
                f"{warm_up.code.name} defines model_warmup_fn without model_fn, whose model it "
                "would get. Define that, too, or leave it out: the server warms its own model up."
            )
        return ToolkitHandler(stages, model_dir)
    model = at_load(stage, model_dir)
    needs = stages.keys().isdisjoint(("predict_fn", "transform_fn"))
    if needs and default_predict(model) is None:
        raise HandlerError(
            f"{stage.code.name}: model_fn returned {article(model)}, which has no predict and "
            "can't be called; define predict_fn(data, model)."
        )
    if warm_up is not None:
        at_load(warm_up, model_dir, model)
    return ToolkitHandler(stages, model_dir, model)


def at_load(stage: Stage, model_dir: str, *arguments: Any) -> Any:
    """What a function returns that is called once. Raises `HandlerError`."""
    try:
        return stage(model_dir, *arguments, context=ToolkitContext(model_dir))
    except Exception as exc:
        cause = exc.__cause__ or exc
        raise HandlerError(
            f"{stage.code.name}: {stage.name} failed: {type(cause).__name__}: {cause}"
        ) from exc
