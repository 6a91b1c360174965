"""A body in NumPy's own format → the array in it."""

from __future__ import annotations

import io
from typing import Any

import numpy as np

from plumbline.errors import InvalidArray
from plumbline.vision.arrays import Tensor
from plumbline.wire.tensor_bodies import Array


def read_array(body: bytes, most: int) -> Array:  # noqa: ARG001
    """An array in NumPy's own format; nothing in it is unpickled."""
    stream = io.BytesIO(body)
    headers = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }
    try:
        shape, fortran, dtype = headers[np.lib.format.read_magic(stream)](stream)
    except Exception as exc:  # NumPy raises nearly anything on hostile headers
        raise InvalidArray(
            "The body is not an array in NumPy's format; write it with numpy.save."
        ) from exc
    data = memoryview(body)[stream.tell() :]
    try:
        return Array(laid_out(data, dtype, shape, fortran=fortran))
    except (OverflowError, ValueError) as exc:
        raise InvalidArray(
            f"The body is an array of {dtype.name} in {len(data)} bytes; it must hold numbers, and "
            "as many as its shape says."
        ) from exc


def laid_out(
    data: memoryview, dtype: np.dtype[Any], shape: tuple[int, ...], *, fortran: bool
) -> Tensor:
    """The numbers in their shape. Raises `ValueError` or `OverflowError` if that can't be."""
    if dtype.kind not in "biuf" or min(shape, default=0) < 0:
        raise ValueError("There are no numbers, or there is no such shape.")
    lengths = tuple(map(int, shape))  # a header may say True
    return np.frombuffer(data, dtype).reshape(lengths, order="F" if fortran else "C")
