import numpy as np


def input_fn(data, content_type):
    return np.zeros((1, 3))
