from sagemaker_inference import decoder


def transform_fn(model, data, content_type, accept):
    return decoder.decode(data, "application/x-npz")
