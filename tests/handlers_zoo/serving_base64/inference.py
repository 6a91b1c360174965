"""A picture in base64, which the server decodes itself."""

import base64
import json


def input_handler(data, context):
    text = base64.b64encode(b"".join(data)).decode("ascii")
    return json.dumps({"instances": [{"b64": text}]}).encode()


def output_handler(response, context):
    return response.text, response.headers["content-type"]
