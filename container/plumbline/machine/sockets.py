"""What is known of a connection without reading from it."""

from __future__ import annotations

import select
import socket


def has_ended(connection: socket.socket) -> bool:
    """Whether the other side has ended the connection; what it sent before is left to be read.

    It may be asked by several threads at once.
    """
    poll = select.poll()
    try:
        poll.register(connection, select.POLLIN)
        return bool(poll.poll(0)) and not connection.recv(1, socket.MSG_PEEK)
    except (OSError, ValueError):  # it may have been closed here
        return True


def says_nothing(connection: socket.socket) -> bool:
    """Whether nothing has come that is yet to be received."""
    try:
        return not connection.recv(1, socket.MSG_PEEK)
    except OSError:
        return True
