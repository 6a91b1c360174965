import numpy as np


def handler(data, context):
    return np.zeros(3), 'application/json'
