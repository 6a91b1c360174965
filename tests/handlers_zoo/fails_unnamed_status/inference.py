class Hurried(Exception):
    status_code = 499


def transform_fn(model, data, content_type, accept):
    raise Hurried
