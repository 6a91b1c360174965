def handler(data, context):
    return context.channel.unary_unary('x')
