import counting


def handler(data, context):
    return counting.count(data.read())
