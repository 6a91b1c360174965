class HTTPBadRequest(Exception):
    """As falcon's."""

    def __init__(self, title, description):
        super().__init__()
        self.status, self.title, self.description = "400 Bad Request", title, description


def handler(data, context):
    raise HTTPBadRequest(title='Wrong', description='send a picture of a cat')
