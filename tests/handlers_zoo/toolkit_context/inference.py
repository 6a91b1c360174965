"""Every function takes the context, as the model server of the toolkit has it."""

import json


def model_fn(model_dir, context):
    return context.system_properties["model_dir"]


def input_fn(data, content_type, context):
    return context.get_request_header(0, "X-Wanted"), context.request_processor[0]


def predict_fn(data, model, context):
    wanted, processor = data
    return {"wanted": wanted, "type": processor.get_request_properties()["Content-Type"]}


def output_fn(prediction, accept, context):
    context.set_response_content_type(0, "text/x-wanted")
    return json.dumps(prediction)
