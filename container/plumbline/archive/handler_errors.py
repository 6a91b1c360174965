"""What a user's handler can do wrong: a part of the tree in errors.py."""

from __future__ import annotations

from plumbline.errors import ModelError, RequestError


class HandlerRefused(RequestError):
    """The user's handler refuses the request, with a status of its own."""

    code = "handler_refused"

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


class HandlerError(ModelError):
    """The user's code can't be used as a handler; whoever deployed it can mend it."""

    code = "handler_error"


class HandlerFailed(ModelError):
    """The user's handler failed on a request, or answered what is no answer."""

    code = "handler_failed"

    def __init__(self, message: str, status: int = 500) -> None:
        super().__init__(message)
        self.status = status
