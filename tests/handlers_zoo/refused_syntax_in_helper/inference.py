import broken_helper


def handler(data, context):
    return broken_helper
