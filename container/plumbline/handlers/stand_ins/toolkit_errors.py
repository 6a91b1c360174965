"""The inference toolkit's errors, and the one for what of it is lacking here."""

from __future__ import annotations

from plumbline.archive.handler_errors import HandlerFailed, HandlerRefused


class ClientError(Exception):
    """The caller's fault."""

    status_code = 400


class UnsupportedFormatError(Exception):
    """A type that nothing here reads or writes."""

    def __init__(self, content_type: object, status_code: int = 415) -> None:
        self.status_code = status_code
        super().__init__(
            f"The type {content_type} is neither read nor written by default; define input_fn to "
            "read it, or output_fn to write it."
        )


class BaseInferenceToolkitError(Exception):
    """An error with the status of its answer."""

    def __init__(self, status_code: int, message: str, phrase: str) -> None:
        self.status_code = status_code
        self.message = message
        self.phrase = phrase
        super().__init__(status_code, message, phrase)


class GenericInferenceToolkitError(BaseInferenceToolkitError):
    """The same, whose words may be missing."""

    def __init__(
        self, status_code: int, message: str | None = None, phrase: str | None = None
    ) -> None:
        words = message or "Invalid Request"
        super().__init__(status_code, words, phrase or words)


class Unreadable(HandlerRefused, ValueError):
    """A body that is not of the type that it says; a `ValueError` to the handler."""


class NotStoodFor(HandlerFailed, ImportError):
    """A handler needs of a package what its stand-in lacks."""


def lacking(name: str) -> NotStoodFor:
    """The error for what no stand-in has, with what to do."""
    package = name.partition(".")[0]
    distribution = package.replace("_", "-")
    return NotStoodFor(
        f"{name} is not here, only a part of {package}. For all of it, name {distribution} in "
        f"code/requirements.txt, run pip wheel --no-deps --wheel-dir code/wheels {distribution}, "
        "and pack the archive with plumbline pack --code DIR, which vendors it."
    )
