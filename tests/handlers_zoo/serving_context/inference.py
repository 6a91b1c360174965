"""All that the context says, and the errors of TensorFlow Serving handed on."""

import json


def input_handler(data, context):
    return data.read(context.content_length)


def output_handler(response, context):
    said = context._asdict()
    said["status"] = response.status_code
    return json.dumps(said)
