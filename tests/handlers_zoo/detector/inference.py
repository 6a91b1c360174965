"""A picture by its link in S3, resized by Pillow; the boxes of an SSD, decoded by NumPy."""

import io
import json

import boto3
import numpy as np
from PIL import Image

SIDE = 300


def input_handler(data, context):
    if context.request_content_type != "application/json":
        raise ValueError("send a link")
    link = json.loads(data.read())["image"]
    bucket, _, key = link.removeprefix("s3://").partition("/")
    body = boto3.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
    picture = Image.open(io.BytesIO(body)).convert("RGB").resize((SIDE, SIDE))
    return json.dumps({"instances": [(np.asarray(picture, np.float32) / 127.5 - 1).tolist()]})


def output_handler(response, context):
    if response.status_code != 200:
        return response.content, "application/json"
    (priors,) = np.array(response.json()["predictions"])
    return json.dumps({"prediction": best(priors).tolist()}), "application/json"


def best(priors):
    """Rows of label, confidence, xmin, ymin, xmax, ymax of what is surer than 0.6."""
    offsets, scores, corners, variances = np.split(priors, [4, -8, -4], axis=1)
    sizes = corners[:, 2:] - corners[:, :2]
    centers = corners[:, :2] + sizes / 2
    centers = offsets[:, :2] * variances[:, :2] * sizes + centers
    sizes = np.exp(offsets[:, 2:] * variances[:, 2:]) * sizes
    boxes = np.clip(np.hstack([centers - sizes / 2, centers + sizes / 2]), 0, 1)
    labels = scores[:, 1:].argmax(axis=1) + 1
    sure = scores[:, 1:].max(axis=1)
    rows = np.column_stack([labels, sure, boxes])[sure > 0.6]
    return rows[np.argsort(-rows[:, 1])]
