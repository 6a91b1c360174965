def input_handler(data, context):
    yield data


def output_handler(response, context):
    return response
