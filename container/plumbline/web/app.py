"""The Flask app, put together."""

from __future__ import annotations

from functools import partial

from flask import Flask
from werkzeug.routing import BaseConverter

from plumbline.loading.served_model import ServedModel
from plumbline.pipeline.admission import Admission
from plumbline.settings.server_settings import Settings
from plumbline.web import (
    flask_door,
    multi_model_api,
    openapi_document,
    overview,
    page_api,
    sagemaker_api,
    tf_serving_api,
)
from plumbline.web.flask_door import route
from plumbline.web.metrics_api import TELLING, Telling
from plumbline.web.observation import OBSERVER


def create_app(
    model: ServedModel, admission: Admission, settings: Settings, workers: int = 1
) -> Flask:
    """An app that answers for `model`, whatever engine it has; one of so many workers."""
    concurrent = admission.load.slots * workers
    kind = page_api.PagedService if settings.page else sagemaker_api.Service
    service = kind(model, admission, settings, concurrent)
    app = flask_door.make(service, sagemaker_api.ANSWERED)
    route(app, "/ping", ("GET",), service.ping)
    route(app, "/invocations", ("POST",), service.invocations)
    route(app, "/execution-parameters", ("GET",), service.execution_parameters)
    route(app, "/v1/<path:_>", ("GET", "POST"), partial(tf_serving_api.answer, service))
    route(app, "/about", ("GET",), partial(page_api.tell, service))
    if settings.page:
        page_api.add_page(app)
    else:
        route(app, "/", ("GET",), partial(overview.one_model, model))
    openapi_document.add(app)
    return app


class ModelName(BaseConverter):
    """A model's name in an address: anything at all, slashes included."""

    regex = "(?s:.+?)"
    part_isolating = False


def create_multi_model_app(service: multi_model_api.ManyModels) -> Flask:
    """An app that answers for many models, which it is told to load and unload."""
    app = flask_door.make(service, multi_model_api.ANSWERED)
    app.url_map.merge_slashes = False
    app.url_map.converters["model"] = ModelName
    route(app, "/ping", ("GET",), service.ping)
    route(app, "/invocations", ("POST",), service.invocations)
    route(app, "/", ("GET",), overview.many_models)
    route(app, "/models", ("POST",), service.load)
    route(app, "/models", ("GET",), service.listed)
    route(app, "/models/<model:name>", ("GET",), service.described)
    route(app, "/models/<model:name>", ("DELETE",), service.unload)
    route(app, "/models/<model:name>/invoke", ("POST",), service.invoke)
    openapi_document.add(app)
    return app


def tell_of(app: Flask, telling: Telling) -> None:
    """Let the app count its requests, and answer what it has counted."""
    app.extensions[TELLING], app.extensions[OBSERVER] = telling, telling.observer
    route(app, "/metrics", ("GET",), telling.metrics)
