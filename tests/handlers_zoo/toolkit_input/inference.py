"""A form that the server does not know, read for its model."""

import numpy as np


def input_fn(data, content_type):
    levels = [int(value) / 255 for value in data]
    return np.stack([np.full((32, 32, 3), level) for level in levels])
