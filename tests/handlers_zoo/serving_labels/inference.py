"""Arrays of NumPy in, in columns; labels that lie beside the code; what is counted in a global."""

import io
import json
import logging
import os

import numpy as np

logging.basicConfig(level=logging.INFO)
log = logging.getLogger(__name__)

HERE = os.path.dirname(os.path.abspath(__file__))

with open(os.path.join(HERE, "labels.json"), encoding="utf-8") as file:
    LABELS = json.load(file)

asked = 0


def input_handler(data, context):
    global asked
    asked += 1
    log.info("request %d", asked)
    if context.request_content_type == "application/x-npy":
        return {"inputs": np.load(io.BytesIO(data.read())).tolist()}
    raise Exception("unsupported content type: " + context.request_content_type)


def output_handler(response, context):
    if response.status_code != 200:
        raise Exception(response.content.decode("utf-8"))
    best = np.argmax(json.loads(response.content)["outputs"], axis=1)
    return json.dumps([LABELS[place] for place in best]), context.accept_header
