import numpy as np


def model_fn(model_dir):
    return np.load(f"{model_dir}/weights.npy")


def multiplied(data, model):
    return data @ model
