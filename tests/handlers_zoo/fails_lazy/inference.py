def handler(data, context):
    return (line for line in data)
