"""Does what the body says, and nothing good."""

import ctypes
import os
import sys
import time

KEPT = []


def handler(data, context):
    wanted = data.read().decode()
    if wanted == "sleep":
        time.sleep(3600)
    if wanted == "spin":
        while True:
            pass
    if wanted.startswith("exit"):
        os._exit(int(wanted.split()[1]))
    if wanted == "sys.exit":
        sys.exit(3)
    if wanted == "crash":
        ctypes.string_at(0)
    if wanted == "leak":
        KEPT.append(bytearray(os.urandom(1) * 32 * 1024**2))
    if wanted == "print":
        print("a line", end=" ")
        print("of its own", flush=True)
    return f"{os.getpid()}", "text/plain"
