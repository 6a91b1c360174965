"""After sagemaker-python-sdk/scikit_learn_inference_pipeline/sklearn_abalone_featurizer.py of
aws/amazon-sagemaker-examples: all of the older framework is imported, and some of it is used.
"""

import json

from six import StringIO
from sagemaker_containers.beta.framework import (
    content_types, encoders, env, modules, transformer, worker)


def model_fn(model_dir):
    return lambda rows: rows * 2


def input_fn(input_data, content_type):
    if content_type == content_types.CSV:
        return encoders.csv_to_numpy(StringIO(input_data).read())
    raise ValueError("{} not supported by script!".format(content_type))


def output_fn(prediction, accept):
    if accept == "application/json":
        instances = [{"features": row} for row in prediction.tolist()]
        return worker.Response(json.dumps({"instances": instances}), mimetype=accept)
    elif accept == "text/csv":
        return worker.Response(encoders.encode(prediction, accept), mimetype=accept)
    return worker.Response("no such answer", accept, 406)
