def handler(data, context):
    return b'', 'text/html\r\nX-Evil: 1'
