async def handler(data, context):
    return data
