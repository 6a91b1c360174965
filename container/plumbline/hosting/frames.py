"""What the server and a model's process say to each other: a header in JSON, and bytes.

Each frame is two lengths (four bytes for the header, eight for the body, both big-endian), the
header and the body. Nothing is ever unpickled.
"""

from __future__ import annotations

import json
import socket
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

LENGTHS = struct.Struct(">IQ")

MOST_OF_HEADER = 1024 * 1024


@dataclass(frozen=True)
class Frame:
    """One message."""

    header: Mapping[str, Any]
    body: bytes = b""


def send(connection: socket.socket, frame: Frame) -> None:
    """Send all of it. Raises `OSError` where nobody is there to take it."""
    header = json.dumps(dict(frame.header)).encode()
    connection.sendall(LENGTHS.pack(len(header), len(frame.body)) + header)
    if frame.body:  # who has the header of a frame without one may have hung up
        connection.sendall(frame.body)


def receive(connection: socket.socket) -> Frame:
    """The next one. Raises `EOFError` at the end, `OSError`, and `ValueError` for what is none."""
    header_length, body_length = LENGTHS.unpack(exactly(connection, LENGTHS.size))
    if header_length > MOST_OF_HEADER:
        raise ValueError(f"A header of {header_length} bytes is none of ours.")
    header = json.loads(exactly(connection, header_length))
    return Frame(header, exactly(connection, body_length))


def exactly(connection: socket.socket, length: int) -> bytes:
    """So many bytes. Raises `EOFError` where fewer come."""
    pieces = []
    while length > 0:
        piece = connection.recv(min(length, 1024 * 1024))
        if not piece:
            raise EOFError("The other side has hung up.")
        pieces.append(piece)
        length -= len(piece)
    return b"".join(pieces)
