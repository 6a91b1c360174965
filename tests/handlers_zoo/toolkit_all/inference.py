"""A model of the user's own, which no part of the server would read."""

import json
import os

import numpy as np


def model_fn(model_dir):
    return np.load(os.path.join(model_dir, "weights.npy"))


def input_fn(data, content_type):
    if content_type != "application/json":
        raise ValueError("send JSON")
    return np.array(json.loads(data)["values"])


def predict_fn(data, model):
    return data @ model


def output_fn(prediction, accept):
    return json.dumps({"sums": prediction.tolist()}), accept
