def transform_fn(model, data, content_type, accept, context):
    context.set_response_status(422, "no cat in it")
    return ""
