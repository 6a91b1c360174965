"""What helps where a user's code imports what is not here."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

VENDORING = (
    "Put it into code/lib, or pack the archive with plumbline pack --code DIR, which vendors what "
    "requirements.txt names."
)

OPENCV = (
    "OpenCV without windows, opencv-python-headless in code/requirements.txt, needs no libraries "
    "of the system; plumbline pack --code DIR puts it into the archive."
)

TENSORFLOW = (
    "TensorFlow and what comes with it are in the default image, and not in the slim one: deploy "
    "that, or leave them out of the code, where the server can run the model itself."
)

WITH_TENSORFLOW = (
    "grpcio",
    "h5py",
    "keras",
    "protobuf",
    "tensorflow",
    "tensorflow-cpu",
    "tf-keras",
)
"""The packages that code names of those that the default image has and the slim one lacks."""

HINTS: Mapping[str, str] = MappingProxyType(
    {
        "tensorflow_serving": "gRPC is not served here: ask context.rest_uri, or return the "
        "request from input_handler.",
        "cv2": OPENCV,
        "libGL": OPENCV,
        "libgthread": OPENCV,
        "'grpc'": TENSORFLOW,
        "'h5py'": TENSORFLOW,
        "'keras'": TENSORFLOW,
        "'tensorflow'": TENSORFLOW,
        "'tf_keras'": TENSORFLOW,
    }
)
"""By a word in the message of a failed import."""


def hint(exc: BaseException) -> str:
    """What helps against an import that failed; empty where nothing is known."""
    return next((text for word, text in HINTS.items() if word in str(exc)), "")
