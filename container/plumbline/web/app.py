"""The Flask app, put together."""

from __future__ import annotations

from flask import Flask

from plumbline.admission import Admission
from plumbline.served import ServedModel
from plumbline.settings import Settings
from plumbline.web import access, errors, sagemaker, tensorflow_serving


def create_app(
    model: ServedModel, admission: Admission, settings: Settings, workers: int = 1
) -> Flask:
    """An app that answers for `model`, whatever engine it has; one of so many workers."""
    app = Flask("plumbline", static_folder=None)
    concurrent = admission.load.slots * workers
    app.extensions["plumbline"] = sagemaker.Service(model, admission, settings, concurrent)
    app.register_blueprint(sagemaker.blueprint)
    app.register_blueprint(tensorflow_serving.blueprint)
    errors.install(app)
    access.install(app)
    return app
