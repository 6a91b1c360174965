def handler(data, context):
    raise ValueError('the picture is upside down')
