"""Numbers as JSON or CSV, handed on to TensorFlow Serving."""

import json


def input_handler(data, context):
    text = data.read().decode("utf-8")
    if context.request_content_type == "application/json":
        return text
    if context.request_content_type == "text/csv":
        rows = [[float(value) for value in line.split(",")] for line in text.splitlines()]
        return json.dumps({"instances": [[[[v] * 3 for v in row]] * 32 for row in rows]})
    raise ValueError(f"unsupported content type {context.request_content_type or 'unknown'}")


def output_handler(response, context):
    if response.status_code != 200:
        raise ValueError(response.content.decode("utf-8"))
    return response.content, context.accept_header
