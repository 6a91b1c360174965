"""The collector of cycles, kept out of what can have none, and files that are forgotten."""

from __future__ import annotations

import gc
import mmap
import re
import sys
from pathlib import Path

import pytest

from plumbline.machine.allocator import forget_mapped, uncollected


def test_the_collector_rests_inside_and_goes_on_after_an_error() -> None:
    def read() -> None:
        with uncollected():
            assert not gc.isenabled()
            raise ValueError("broken off")

    assert gc.isenabled()
    with pytest.raises(ValueError, match="broken off"):
        read()
    assert gc.isenabled()


@pytest.mark.skipif(sys.platform != "linux", reason="memory is mapped otherwise elsewhere")
def test_what_was_read_of_a_mapped_file_is_given_back_and_read_again(tmp_path: Path) -> None:
    file = tmp_path / "a file with spaces.bin"
    content = bytes(range(256)) * 65536  # 16 MiB
    file.write_bytes(content)
    with file.open("rb") as opened, mmap.mmap(opened.fileno(), 0, prot=mmap.PROT_READ) as memory:
        assert memory[:] == content
        assert resident(file) == len(content)

        forget_mapped(file)

        assert resident(file) == 0
        assert memory[:] == content


@pytest.mark.skipif(sys.platform != "linux", reason="memory is mapped otherwise elsewhere")
def test_what_was_written_to_a_private_mapping_is_kept(tmp_path: Path) -> None:
    file = tmp_path / "file.bin"
    file.write_bytes(bytes(4096))
    with file.open("rb") as opened, mmap.mmap(opened.fileno(), 0, mmap.MAP_PRIVATE) as memory:
        memory[:5] = b"mine!"
        forget_mapped(file)
        assert memory[:5] == b"mine!"


def resident(file: Path) -> int:
    """Bytes of a mapped file that are in memory for this process, as the kernel counts them."""
    _, _, after = Path("/proc/self/smaps").read_text("utf-8").partition(f"{file}\n")
    return 1024 * int(re.search(r"^Rss: +(\d+) kB", after, re.MULTILINE)[1])
