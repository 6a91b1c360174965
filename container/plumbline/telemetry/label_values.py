"""The closed sets of labels: whatever is asked or answered, a value comes from one of these."""

from __future__ import annotations

from collections.abc import Container, Iterator

from plumbline.errors import ImageError, PlumblineError, RequestError, Unavailable

METHODS = ("predict", "classify", "regress")

OTHER = "other"

BY_FLASK = {"bad_request": 400, "not_found": 404, "method_not_allowed": 405}
"""Errors of addresses, and their statuses."""

WHILE_SERVING = (
    *("internal_error", "client_gone", "model_error", "engine_error", "model_process_ended"),
    *("handler_error", "handler_failed"),
)
"""What a request may be answered besides what its caller can mend, or try again."""

BY_HANDLERS = {
    "handler_refused": frozenset((400, 404, 422, 429)),
    "handler_failed": frozenset((500, 503)),
}
"""Errors with statuses of a user's own, and those that are told by themselves."""


def kinds(error: type[PlumblineError]) -> Iterator[type[PlumblineError]]:
    """The class and all below it, of those that have been imported."""
    yield error
    for one in error.__subclasses__():
        yield from kinds(one)


def known_answers() -> frozenset[tuple[int, str]]:
    """Every status that is told by itself, with the code of its error."""
    answers = [
        (one.status, one.code) for kind in (RequestError, Unavailable) for one in kinds(kind)
    ]
    answers += [
        (one.status, one.code) for one in kinds(PlumblineError) if one.code in WHILE_SERVING
    ]
    answers += [(status, code) for code, status in BY_FLASK.items()]
    answers += [(status, code) for code, own in BY_HANDLERS.items() for status in own]
    return frozenset(((200, ""), *answers))


AT_NO_MODEL = frozenset(
    ((200, ""), (503, "model_not_ready"), *((status, code) for code, status in BY_FLASK.items()))
)
"""What is told by itself of addresses that ask no model."""


def answer_of(status: int, error: str, known: Container[tuple[int, str]]) -> tuple[str, str]:
    """The labels `code` and `error`: what is not known is told by the class of its status."""
    if (status, error) in known:
        return str(status), error
    kind = f"{min(max(status // 100, 4 if error else 2), 5)}xx"
    return kind, error if error in BY_HANDLERS or not error else OTHER


PICTURE_ERRORS = frozenset(one.code for one in kinds(ImageError))
"""The codes that tell of a picture that was refused."""


def route_of(path: str, *, many: bool) -> str:
    """What kind of address a request has."""
    if path == "/invocations":
        return "invocations"
    if many and path.startswith("/models"):
        return "invoke" if path.endswith("/invoke") else "models"
    method = path.rpartition(":")[2]
    if not many and method in METHODS and path.startswith("/v1/models/"):
        return method
    return OTHER


def outcome_of(status: int) -> str:
    """What became of a request: `busy` is worth another try, `failed` is the server's fault."""
    if status < 400:
        return "ok"
    if status < 500:
        return "refused"
    return "busy" if status in (503, 507) else "failed"


def outcome_of_load(status: int, error: str | None) -> str:
    """What became of a model that was to be loaded."""
    if status < 400:
        return "ok"
    if status in (409, 507):
        return str(status)
    return "timed_out" if error == "deadline_exceeded" else "refused"
