"""After model/predict/ml_output/model/code/inference.py of aftabalam01/machinelearningpipeline: pictures
in base64, arrays and JSON, each by its type; the answer is the one of TensorFlow Serving.
"""

import base64
import json

import numpy


def input_handler(data, context):
    kind = context.request_content_type
    if kind == "application/x-image":
        encoded = base64.b64encode(data.read()).decode("utf-8")
        return json.dumps({"instances": [{"b64": encoded}]})
    elif kind == "application/x-npy":
        return json.dumps({"instances": numpy.load(data).tolist()})
    elif kind == "application/json":
        text = data.read().decode("utf-8")
        return text if len(text) else ""
    else:
        _return_error(415, 'Unsupported content type "{}"'.format(kind or "Unknown"))


def output_handler(response, context):
    if response.status_code != 200:
        _return_error(response.status_code, response.content.decode("utf-8"))
    content_type = context.accept_header
    prediction = response.content
    return prediction, content_type


def _return_error(code, message):
    raise ValueError("Error: {}, {}".format(code, message))
