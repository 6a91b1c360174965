"""The same in one function, which asks TensorFlow Serving by requests."""

import json

import dummy_module
import PIL
import requests


def handler(data, context):
    print(f"{dummy_module.__version__}, {PIL.__version__}\n")
    text = data.read().decode("utf-8")
    if context.request_content_type == "text/csv":
        text = json.dumps({"instances": [float(number) for number in text.split(",")]})
    elif context.request_content_type != "application/json":
        raise ValueError(f"unsupported content type {context.request_content_type}")
    answer = requests.post(context.rest_uri, data=text)
    if answer.status_code != 200:
        raise ValueError(answer.content.decode("utf-8"))
    return answer.content, context.accept_header
