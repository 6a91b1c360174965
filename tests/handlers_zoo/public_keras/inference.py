"""After ML_model/model/code/inference.py of pasidunethmina/Smart-ECG-Holter-Monitor: a Keras file that
model_fn loads itself, functions whose types have defaults, tensors between them.
"""

import json

import tensorflow as tf
from tensorflow import keras


def model_fn(model_dir):
    return keras.models.load_model(f"{model_dir}/cnn.keras")


def input_fn(request_body, content_type="application/json"):
    return tf.convert_to_tensor(json.loads(request_body)["inputs"])


def predict_fn(input_data, model):
    return model.predict(input_data)


def output_fn(prediction, accept="application/json"):
    return json.dumps(prediction.tolist())
