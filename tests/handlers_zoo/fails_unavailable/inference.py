class Busy(Exception):
    status_code = 503
    detail = "come back later"


def transform_fn(model, data, content_type, accept):
    raise Busy
