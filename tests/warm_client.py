"""`python warm_client.py SOCKET …` is `python …` in a process that was forked (warm_processes.py).

For programs that are told which Python to call. It imports little, and starts in milliseconds.
"""

import json
import os
import socket
import sys

with socket.socket(socket.AF_UNIX) as connection:
    connection.connect(sys.argv[1])
    order = {
        "arguments": sys.argv[2:],
        "environment": dict(os.environ),
        "cwd": os.getcwd(),  # noqa: PTH109 - pathlib takes longer than all else
        "numbers": [0, 1, 2],
    }
    socket.send_fds(connection, [b"!"], [0, 1, 2])
    connection.sendall(json.dumps(order).encode() + b"\n")
    with connection.makefile() as said:
        _pid, status = (int(said.readline()) for _ in range(2))
sys.exit(status if status >= 0 else 128 - status)
