def handler(data, context):
    return open('/nowhere/secret.txt').read()
