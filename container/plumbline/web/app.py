"""The Flask app, put together."""

from __future__ import annotations

from flask import Flask

from plumbline.loading.served_model import ServedModel
from plumbline.pipeline.admission import Admission
from plumbline.settings.server_settings import Settings
from plumbline.web import access_log, error_answers, multi_model_api, sagemaker_api, tf_serving_api


def create_app(
    model: ServedModel, admission: Admission, settings: Settings, workers: int = 1
) -> Flask:
    """An app that answers for `model`, whatever engine it has; one of so many workers."""
    app = Flask("plumbline", static_folder=None)
    concurrent = admission.load.slots * workers
    app.extensions["plumbline"] = sagemaker_api.Service(model, admission, settings, concurrent)
    app.register_blueprint(sagemaker_api.blueprint)
    app.register_blueprint(tf_serving_api.blueprint)
    error_answers.install(app, sagemaker_api.ANSWERED)
    access_log.install(app)
    return app


def create_multi_model_app(service: multi_model_api.ManyModels) -> Flask:
    """An app that answers for many models, which it is told to load and unload."""
    app = Flask("plumbline", static_folder=None)
    app.url_map.merge_slashes = False
    app.url_map.converters["model"] = multi_model_api.ModelName
    app.extensions["plumbline"] = service
    app.register_blueprint(multi_model_api.blueprint)
    error_answers.install(app, multi_model_api.ANSWERED)
    access_log.install(app)
    return app
