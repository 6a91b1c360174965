def handler(data, context):
    return 'x' * (101 * 1024 * 1024)
