"""After lambdas/functions/transfer_model/sklearn/inference.py of
aws-samples/amazon-sagemaker-automatic-deploy-mlflow-model: the toolkit's decoder and encoder around a
model, which is loaded otherwise there.
"""

import os

import numpy as np
from sagemaker_inference import decoder, encoder


class Weighted:
    def __init__(self, weights):
        self.weights = weights

    def predict(self, values):
        return values @ self.weights


def model_fn(model_dir):
    return Weighted(np.load(os.path.join(model_dir, "weights.npy")))


def input_fn(input_data, content_type):
    return decoder.decode(input_data, content_type=content_type)


def output_fn(prediction, accept):
    return encoder.encode(prediction, accept)


def predict_fn(input_data, model):
    return model.predict(input_data)
