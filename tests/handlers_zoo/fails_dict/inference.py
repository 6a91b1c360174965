def handler(data, context):
    return {'predictions': []}
