"""JSON and CSV for a model of single numbers, in two functions."""

import json


def input_handler(data, context):
    text = data.read().decode("utf-8")
    if context.request_content_type == "application/json":
        return text if len(text) else ""
    if context.request_content_type == "text/csv":
        return json.dumps({"instances": [float(number) for number in text.split(",")]})
    kind = context.request_content_type or "unknown"
    raise ValueError(f'{{"error": "unsupported content type {kind}"}}')


def output_handler(data, context):
    if data.status_code != 200:
        raise ValueError(data.content.decode("utf-8"))
    return data.content, context.accept_header
