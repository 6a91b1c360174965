"""A handler that asks TensorFlow Serving itself."""

import requests


def handler(data, context):
    response = requests.post(context.rest_uri, data=data.read())
    if response.status_code != 200:
        raise ValueError(response.content.decode("utf-8"))
    return response.content, context.accept_header
