"""A picture, resized and scaled by Pillow and NumPy; the answer names the best class."""

import io
import json

import numpy as np
from PIL import Image


def input_handler(data, context):
    if context.request_content_type not in ("application/x-image", "image/png", "image/jpeg"):
        raise ValueError("send a picture")
    picture = Image.open(io.BytesIO(data.read())).convert("RGB").resize((32, 32))
    pixels = np.asarray(picture, np.float32)[np.newaxis] / 255
    return json.dumps({"instances": pixels.tolist()})


def output_handler(response, context):
    response.raise_for_status()
    assert response.ok
    scores = response.json()["predictions"][0]
    best = {"class": int(np.argmax(scores)), "model": context.model_name}
    return json.dumps(best), "application/json"
