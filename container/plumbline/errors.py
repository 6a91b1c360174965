"""Everything that can go wrong, as one tree.

    PlumblineError
     ├── RequestError                  4xx: the caller can mend it
     │    ├── EmptyBody                400
     │    ├── MalformedBody            400
     │    ├── InvalidJSON              400
     │    ├── InvalidInstances         400
     │    ├── InvalidArray             400
     │    ├── InvalidCSV               400
     │    ├── InvalidAttribute         400
     │    ├── InputRefused             400
     │    ├── HandlerRefused           4xx, as the user's handler says
     │    ├── ModelNotFound            404
     │    ├── LinkRefused              403
     │    ├── LinkFailed               400
     │    ├── LinkTooLarge             413
     │    ├── RequestTimeout           408
     │    ├── BodyTooLarge             413
     │    ├── UnsupportedContentType   415
     │    ├── NotAcceptable            406
     │    └── ImageError
     │         ├── NotAnImage          400
     │         ├── ImageDamaged        400
     │         ├── ImageTooLarge       413
     │         └── ImageFormatRefused  415
     ├── Unavailable                   503, with Retry-After
     │    ├── ModelNotReady
     │    ├── ServerBusy
     │    └── DeadlineExceeded
     ├── ModelError                    500: the archive, not the request, is wrong
     │    ├── SettingError
     │    ├── ArchiveError
     │    ├── UnsafeModel
     │    ├── SpecError
     │    ├── EngineError
     │    ├── PackingError
     │    ├── HandlerError
     │    ├── HandlerFailed            5xx, as the user's handler says
     │    └── GoldenMismatch
     ├── ClientGone                    499: nobody is there to read the answer
     └── CommandError                  what a command meets; no server answers with it

Those of handlers are in archive/handler_errors.py, those that only a multi-model endpoint meets in
hosting/errors.py, and those of training jobs in training/errors.py.

The message of an error is written for whoever reads the answer: what happened, what was
expected, what to do. What a request provokes never holds a path of the
server or the text of a foreign exception, but for TensorFlow's words on the input of a model; what
a model provokes is for whoever deployed it.
"""

from __future__ import annotations


class PlumblineError(Exception):
    """The root; `code` is for programs, `status` is the HTTP status of the answer."""

    code = "internal_error"
    status = 500
    as_tensorflow = False
    """Whether it is told as TensorFlow Serving tells errors: a sentence, without a code."""

    @property
    def message(self) -> str:
        """The sentence that the caller reads."""
        return str(self)


class RequestError(PlumblineError):
    """The caller can mend it."""

    code = "bad_request"
    status = 400


class EmptyBody(RequestError):
    """A request without a body."""

    code = "empty_body"


class MalformedBody(RequestError):
    """A body in chunks that are none, or compressed and damaged."""

    code = "malformed_body"


class InvalidJSON(RequestError):
    """The body says it is JSON and is not."""

    code = "invalid_json"


class InvalidInstances(RequestError):
    """JSON of the wrong form, or tensors of the wrong shape."""

    code = "invalid_instances"


class InvalidArray(RequestError):
    """A body that says it is an array of NumPy's and is not, or not of numbers."""

    code = "invalid_array"


class InvalidCSV(RequestError):
    """A body that says it is CSV and is not, or not of numbers alone."""

    code = "invalid_csv"


class InvalidAttribute(RequestError):
    """A custom attribute that this server knows, with a value it can't use."""

    code = "invalid_attribute"


class InputRefused(RequestError):
    """Values that the model can't compute, or that don't fit together, as it finds itself."""

    code = "input_refused"


class ModelNotFound(RequestError):
    """The request names a model, or a version of one, that is not here."""

    code = "model_not_found"
    status = 404


class LinkRefused(RequestError):
    """A link that this server may not follow."""

    code = "link_refused"
    status = 403


class LinkFailed(RequestError):
    """A link behind which no picture could be had."""

    code = "link_failed"


class LinkTooLarge(RequestError):
    """More bytes behind a link than the server takes."""

    code = "link_too_large"
    status = 413


class RequestTimeout(RequestError):
    """The body did not arrive in time."""

    code = "request_timeout"
    status = 408


class BodyTooLarge(RequestError):
    """More bytes than the server accepts."""

    code = "body_too_large"
    status = 413


class UnsupportedContentType(RequestError):
    """A Content-Type that is missing, or one or a Content-Encoding that nothing here reads."""

    code = "unsupported_content_type"
    status = 415


class NotAcceptable(RequestError):
    """An Accept header that nothing here can answer."""

    code = "not_acceptable"
    status = 406


class ImageError(RequestError):
    """A picture that can't be used."""

    code = "image_error"


class NotAnImage(ImageError):
    """Bytes that are no picture at all."""

    code = "not_an_image"


class ImageDamaged(ImageError):
    """A picture that breaks off or is corrupt."""

    code = "image_damaged"


class ImageTooLarge(ImageError):
    """More pixels, or longer sides, than the server decodes."""

    code = "image_too_large"
    status = 413


class ImageFormatRefused(ImageError):
    """A picture of a format that is not on the allowlist."""

    code = "image_format_refused"
    status = 415


class Unavailable(PlumblineError):
    """Not now; the same request may succeed later."""

    code = "unavailable"
    status = 503

    def __init__(self, message: str, retry_after: int = 1) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class ModelNotReady(Unavailable):
    """The model is still loading, or failed to load."""

    code = "model_not_ready"


class ServerBusy(Unavailable):
    """Every place in the queue is taken."""

    code = "server_busy"


class DeadlineExceeded(Unavailable):
    """The request's time was up before its answer was there."""

    code = "deadline_exceeded"


class ModelError(PlumblineError):
    """What was deployed is wrong; whoever deployed it can mend it."""

    code = "model_error"


class SettingError(ModelError):
    """An environment variable with a value that can't be used."""

    code = "setting_error"


class ArchiveError(ModelError):
    """The model archive is missing something, or is not an archive."""

    code = "archive_error"


class UnsafeModel(ModelError):
    """A model file that holds code, or that reaches for what is outside itself."""

    code = "unsafe_model"


class SpecError(ModelError):
    """plumbline.toml says something that can't be."""

    code = "spec_error"


class EngineError(ModelError):
    """The model can't be loaded or run."""

    code = "engine_error"


class PackingError(ModelError):
    """What packing was given can't be packed; whoever typed the command can mend it."""

    code = "packing_error"


class GoldenMismatch(ModelError):
    """A golden picture did not give the answer that it gave in training."""

    code = "golden_mismatch"


class ClientGone(PlumblineError):
    """The client has hung up before its answer was there; the log knows it as nginx's 499."""

    code = "client_gone"
    status = 499


class CommandError(PlumblineError):
    """What was asked of a command can't be done; whoever typed it can mend it."""

    code = "command_error"
