"""The sample's Flask app: the model is loaded by each worker when it is first asked."""

from __future__ import annotations

from functools import cache

import flask

from peers.shared import Model

app = flask.Flask(__name__)


@cache
def model() -> Model:
    """The worker's model."""
    return Model()


@app.route("/ping", methods=["GET"])
def ping() -> flask.Response:
    """Healthy once the model is loaded."""
    model()
    return flask.Response(response="\n", status=200)


@app.route("/invocations", methods=["POST"])
def invocations() -> flask.Response:
    """One picture, one answer."""
    batch = model().pixels(flask.request.data)[None]
    body, content_type = model().encode(model().run(batch)[0])
    return flask.Response(response=body, status=200, mimetype=content_type)
