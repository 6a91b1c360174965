"""As the handlers of a shop for videos: an error of its own, wrapped functions, types by their names."""

import datetime
import json
import logging

import numpy as np
from sagemaker_inference import content_types, encoder, errors, logging as toolkit_logging, utils

LOGGER = logging.getLogger(__name__)


class CustomError(errors.GenericInferenceToolkitError):
    def __init__(self, message):
        super().__init__(400, message)


def timer(func):
    def wrapped_func(*args, **kwargs):
        t0 = datetime.datetime.now()
        x = func(*args, **kwargs)
        toolkit_logging.get_logger().info(f"{func.__name__}: {datetime.datetime.now() - t0}")
        return x

    return wrapped_func


@timer
def model_fn(model_dir):
    return None


@timer
def input_fn(input_data, content_type):
    if content_type != content_types.JSON:
        raise errors.UnsupportedFormatError(content_type)
    try:
        j = json.loads(input_data)
        vector = np.zeros(j["dim"])
        for index, value in j["vector"].items():
            vector[int(index)] = value
        return vector
    except (KeyError, TypeError):
        raise CustomError('payloads must have the keys "dim" and "vector"')


@timer
def predict_fn(data, model):
    return {"dim": data.shape[0], "vector": data * 2}


@timer
def output_fn(prediction, accept):
    for content_type in utils.parse_accept(accept):
        if content_type in encoder.SUPPORTED_CONTENT_TYPES:
            return encoder.encode(prediction, content_type), content_type
    raise errors.UnsupportedFormatError(accept)
