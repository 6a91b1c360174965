def handler(data, context):
    return handler(data, context)
