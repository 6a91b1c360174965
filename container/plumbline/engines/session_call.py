"""One call of a TensorFlow session, checked as TensorFlow Serving checks it: by the graph alone.

TensorFlow's Python compares each tensor with the static shape of where it goes before the graph
sees it. The C++ below it, which TensorFlow Serving calls, does not: a vector goes into `[None, 1]`
if all that follows can compute it.
"""

# ruff: noqa: SLF001  What TensorFlow's Python hides is the very thing that is called here.

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from plumbline.vision.arrays import Tensor

NOT_FOR_CALLERS = re.compile(r"\{\{[^}]*\}\}\s*|\d+ root error\(s\) found\.\s*\(0\)\s*\w+:\s*")
"""Names of the graph's functions, and how many of its nodes failed, before what went wrong."""

MOST_WORDS = 500


class SessionCall:
    """Feeds and fetches of one signature; may be called from several threads at once."""

    def __init__(self, session: Any, feeds: Sequence[Any], fetches: Sequence[Any]) -> None:
        """Tensors of the session's graph."""
        self._session = session
        self._dtypes = [tensor.dtype.as_numpy_dtype for tensor in feeds]
        self._feeds = [tensor._as_tf_output() for tensor in feeds]
        self._fetches = [tensor._as_tf_output() for tensor in fetches]
        session._extend_graph()

    def __call__(self, values: Sequence[Tensor], seconds: float) -> list[Tensor]:
        """What is fetched. Raises TensorFlow's `OpError`s, also when the time is up."""
        from tensorflow import compat
        from tensorflow.python.client import pywrap_tf_session as tf_session

        options = compat.v1.RunOptions(timeout_in_ms=max(1, int(seconds * 1000)))
        fed = {
            feed: np.asarray(value, dtype)
            for feed, dtype, value in zip(self._feeds, self._dtypes, values, strict=True)
        }
        buffer = tf_session.TF_NewBufferFromString(options.SerializeToString())
        try:
            run = self._session._call_tf_sessionrun
            return list(run(buffer, fed, self._fetches, [], None))
        finally:
            tf_session.TF_DeleteBuffer(buffer)


def words(error: Exception) -> str:
    """What TensorFlow says went wrong, in a line without the names of the graph's own parts."""
    said = NOT_FOR_CALLERS.sub("", str(getattr(error, "message", error))).strip()
    line = said.split("\n", 1)[0].strip()
    return line if len(line) <= MOST_WORDS else f"{line[:MOST_WORDS]} …"
