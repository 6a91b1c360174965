from werkzeug.exceptions import Conflict


def handler(data, context):
    raise Conflict('somebody else was quicker')
