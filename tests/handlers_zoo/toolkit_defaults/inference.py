"""The toolkit's own reading and writing, around a model that can be called."""

import numpy as np


def model_fn(model_dir):
    return lambda values: np.asarray(values) * 2
