import json


def handler(data, context:
    return data
