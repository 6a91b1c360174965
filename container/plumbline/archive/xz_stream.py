"""A file that xz compressed, read within a bound on memory.

The file says how large a window unpacking keeps: up to 4 GB, of which a few bytes fill it.
"""

from __future__ import annotations

import io
import lzma
from typing import IO, Any

from plumbline.errors import ArchiveError

MOST_MEMORY = 128 * 1024**2
"""Bytes; xz -9 takes half of that."""

PIECE = 64 * 1024


class XZReader(io.RawIOBase):
    """What the file unpacks to; going back begins anew."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file = file
        self.begin()

    def begin(self) -> None:
        """Start at the first byte."""
        self.file.seek(0)
        self.place = 0
        self.rest = b""
        self.decompressor = lzma.LZMADecompressor(memlimit=MOST_MEMORY)

    def readable(self) -> bool:
        """Whether it can be read: always."""
        return True

    def seekable(self) -> bool:
        """Whether it can be read from elsewhere: always."""
        return True

    def tell(self) -> int:
        """How much was read."""
        return self.place

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go there, by reading on or from the beginning."""
        wanted = offset + (self.place if whence == io.SEEK_CUR else 0)
        if wanted < self.place:
            self.begin()
        while self.place < wanted and self.read(min(PIECE, wanted - self.place)):
            pass
        return self.place

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer, or a part of it. Raises `lzma.LZMAError` or `EOFError`."""
        data = b""
        while not data and self.more():
            fed, self.rest = self.rest, b""
            data = self.unpacked(fed, len(buffer))
        buffer[: len(data)] = data
        self.place += len(data)
        return len(data)

    def unpacked(self, fed: bytes, most: int) -> bytes:
        """At most so many bytes. Raises `lzma.LZMAError`, or `ArchiveError` for a large window."""
        try:
            return self.decompressor.decompress(fed, max_length=most)
        except lzma.LZMAError as exc:
            if "emory usage limit" not in str(exc):
                raise
            raise ArchiveError(
                f"Unpacking the archive takes more than {MOST_MEMORY:,} bytes of memory, which xz "
                "wants for it; pack it with gzip: tar -czf model.tar.gz -C FOLDER ."
            ) from exc

    def more(self) -> bool:
        """Whether there may be more; of several streams the next is begun. Raises `EOFError`."""
        if self.decompressor.eof:
            rest = self.decompressor.unused_data.lstrip(b"\0")
            while not rest and (piece := self.file.read(PIECE)):
                rest = piece.lstrip(b"\0")
            if not rest:
                return False
            self.rest, self.decompressor = rest, lzma.LZMADecompressor(memlimit=MOST_MEMORY)
        elif self.decompressor.needs_input:
            self.rest = self.file.read(PIECE)
            if not self.rest:
                raise EOFError("it breaks off")
        return True


def opened(file: IO[bytes]) -> io.BufferedReader:
    """The file to read from."""
    return io.BufferedReader(XZReader(file))
