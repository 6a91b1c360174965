"""What a process says of itself to Linux, as Linux then tells it."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has it")
def test_neither_the_process_nor_its_children_gain_privileges() -> None:
    code = (
        "import subprocess; from plumbline.machine.process_control import gain_no_privileges; "
        "gain_no_privileges(); subprocess.run(['grep', 'NoNewPrivs', '/proc/self/status'])"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert told.stdout.split() == ["NoNewPrivs:", "1"]
