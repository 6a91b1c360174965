def handler(data, context):
    return 7
