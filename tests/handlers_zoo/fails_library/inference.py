import json


def handler(data, context):
    return json.loads(b'{')
