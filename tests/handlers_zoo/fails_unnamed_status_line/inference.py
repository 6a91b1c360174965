class Overloaded(Exception):
    """As falcon's."""

    status = "529 Site is overloaded"


def handler(data, context):
    raise Overloaded("come back in a minute")
