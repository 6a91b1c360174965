def handler(data, context):
    data.read()
