def input_handler(data, context):
    return object()


def output_handler(response, context):
    return response.content, 'application/json'
