"""After sagemaker-inference-recommender/code/inference.py of aws/amazon-sagemaker-examples: a picture
as application/x-image, resized by Pillow, as numbers. (There it is np.fromstring, which NumPy 2 lacks.)
"""

import io
import json

import numpy as np
from PIL import Image

SIZE = (32, 32)


def input_handler(data, context):
    if context.request_content_type != "application/x-image":
        _return_error(415, f'Unsupported content type "{context.request_content_type or "Unknown"}"')
    buffer = np.frombuffer(data.read(), np.uint8)
    pixels = np.array(Image.open(io.BytesIO(buffer)).resize(SIZE)) / 255
    return json.dumps({"instances": np.expand_dims(pixels, axis=0).tolist()})


def output_handler(response, context):
    if response.status_code != 200:
        _return_error(response.status_code, response.content.decode("utf-8"))
    return response.content, context.accept_header


def _return_error(code, message):
    raise ValueError(f"Error: {code}, {message}")
