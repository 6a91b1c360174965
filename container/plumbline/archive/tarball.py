"""model.tar.gz ↔ folder: untrusted archives in, reproducible archives out."""

from __future__ import annotations

import bz2
import gzip
import lzma
import shutil
import tarfile
import tempfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import IO, Any

from plumbline.archive import discovery, foreign_files, xz_stream
from plumbline.errors import ArchiveError

MEBIBYTE = 1024 * 1024

BLOCK = 512
"""Tar's unit; two blocks of zeros are its end."""

MOST_BEFORE_A_FILE = 2 * MEBIBYTE
"""Bytes of names, headers and maps of holes that may come before what they are about."""

MOST_OF_HEADERS = 32 * MEBIBYTE
"""Memory that all names and headers of an archive may take."""

RECORD = 64
"""Bytes that a text of a header takes in memory beside its text."""

SUSPICIOUS_RATIO = 200
"""Weights hardly compress, text by 5 to 10; so many times its own size is a bomb."""


@dataclass(frozen=True)
class Bounds:
    """What an archive may unpack to; `size` for a small one is at least `unsuspicious`."""

    size: int = 16 * 1024**3
    files: int = 20_000
    unsuspicious: int = 1024**3

    def size_for(self, packed: int) -> int:
        """The most bytes that an archive of `packed` bytes may unpack to."""
        return min(self.size, max(self.unsuspicious, SUSPICIOUS_RATIO * packed))


DECOMPRESSORS: Mapping[bytes, Callable[[IO[bytes]], Any]] = MappingProxyType(
    {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ\x00": xz_stream.opened}
)
"""By the first bytes of what is compressed; a plain tar has others."""


DAMAGED = (
    *(tarfile.TarError, zlib.error, lzma.LZMAError),
    *(EOFError, ValueError, RecursionError),
)
"""What damaged or forged archives make the libraries raise."""


class Stream:
    """A decompressed file that is only read in pieces.

    tarfile reads a long name or a PAX header whole, of whatever size the header says, and as many
    one after another as there are. Of what comes before a file `left` bytes are read; None is all.
    """

    def __init__(self, file: Any) -> None:
        self.file = file
        self.seek = file.seek
        self.tell = file.tell
        self.left: int | None = MOST_BEFORE_A_FILE

    def read(self, size: int = -1) -> bytes:
        """As of any file. Raises `ArchiveError` where that is much at once."""
        if not 0 <= size <= MEBIBYTE:
            raise ArchiveError("The archive holds a name or a header of more than a megabyte.")
        if self.left is not None:
            self.left -= size
            if self.left < 0:
                raise ArchiveError("The archive holds headers of some megabytes about one file.")
        return bytes(self.file.read(size))


def unpack(archive: Path, target: Path, bounds: Bounds | None = None) -> None:
    """Unpack a (gzipped) tar into the empty folder `target`. Raises `ArchiveError`.

    Only plain files and folders are taken; links, devices and paths that leave the folder are
    refused, and nothing is unpacked from an archive that has one. What breaks off on the way
    leaves nothing behind.
    """
    bounds = bounds or Bounds()
    if said := another_kind(archive):
        raise ArchiveError(said)
    try:
        with opened(archive) as stream, tarfile.open(fileobj=stream, mode="r:") as tar:
            most = bounds.size_for(archive.stat().st_size)
            members = list(checked(bounded(tar, stream), bounds, most))
            check_end(stream, tar.offset, archive.name)
            check_any(members, archive.name)
            for member, path in members:
                extract(tar, member, target / path)
    except (*DAMAGED, OSError) as exc:
        clear(target)
        if isinstance(exc, OSError) and exc.errno:
            raise ArchiveError(f"{archive.name} can't be unpacked: {exc.strerror}.") from exc
        raise not_whole(archive.name, "it is damaged, or another kind of file") from exc
    except BaseException:
        clear(target)
        raise


@contextmanager
def unpacked(archive: Path) -> Iterator[Path]:
    """The folder itself, or a temporary one with what is in the archive. Raises `ArchiveError`."""
    if archive.is_dir():
        yield archive.resolve()
        return
    with tempfile.TemporaryDirectory(prefix="plumbline-model-") as folder:
        unpack(archive, Path(folder))
        yield Path(folder)


def another_kind(file: Path) -> str | None:
    """The sentence for a file that is no archive but a model, or a part of one."""
    if said := foreign_files.told(file, str(file)):
        return said
    if discovery.whole_keras_model(file):
        return (
            f"{file.name} is a Keras model, and what is served is an archive: "
            f"plumbline pack {file} --out model.tar.gz, then model.tar.gz is one."
        )
    if file.name == "saved_model.pb":
        return "saved_model.pb is a part of a SavedModel: name the folder that it lies in."
    return None


def check_any(members: list[Any], name: str) -> None:
    """Raise `ArchiveError` if there is nothing: tarfile takes some damage for the end."""
    if not members:
        raise ArchiveError(f"{name} is an empty archive; pack the model's files.")


@contextmanager
def opened(archive: Path) -> Iterator[Any]:
    """The tar inside, whatever it is compressed with."""
    with archive.open("rb") as file:
        head = file.read(8)
        file.seek(0)
        known = (opener for magic, opener in DECOMPRESSORS.items() if head.startswith(magic))
        opener = next(known, None)
        if opener is None:
            yield Stream(file)
            return
        with opener(file) as decompressed:
            yield Stream(decompressed)


def bounded(tar: tarfile.TarFile, stream: Stream) -> Iterator[tarfile.TarInfo]:
    """The members. Raises `ArchiveError` where their names and headers are too much to be kept."""
    kept = 0
    while True:
        stream.left = MOST_BEFORE_A_FILE
        member = tar.next()
        stream.left = None
        if member is None:
            return
        records = [str(value) for record in member.pax_headers.items() for value in record]
        kept += sum(map(len, (member.name, member.linkname, *records))) + RECORD * len(records)
        if kept > MOST_OF_HEADERS:
            raise ArchiveError(
                f"The names and headers of the archive take more than {MOST_OF_HEADERS:,} bytes; "
                "pack its files again."
            )
        yield member


def checked(
    members: Iterator[tarfile.TarInfo], bounds: Bounds, most: int
) -> Iterator[tuple[tarfile.TarInfo, Path]]:
    """The members and where they go; raises at the first that is not allowed."""
    size = 0
    seen: set[PurePosixPath] = set()
    for count, member in enumerate(members, start=1):
        path = PurePosixPath(member.name)
        size += member.size
        check_member(member, path)
        if size > most or count > bounds.files:
            raise ArchiveError(
                f"The archive unpacks to more than {most:,} bytes or {bounds.files:,} files; "
                "leave out what the model does not need, such as checkpoints and data."
            )
        if path in seen and not member.isdir():
            raise ArchiveError(f"The archive holds {member.name!r} twice; pack it again.")
        seen.add(path)
        yield member, Path(path)


def check_member(member: tarfile.TarInfo, path: PurePosixPath) -> None:
    """Raise `ArchiveError` if this is not a plain file or folder inside the archive."""
    if path.is_absolute() or ".." in path.parts:
        raise ArchiveError(f"The archive holds {member.name!r}, a path outside itself.")
    if not (member.isfile() or member.isdir()):
        raise ArchiveError(
            f"The archive holds {member.name!r}, which is a link or a device; "
            "pack plain files (tar --dereference)."
        )
    if member.size < 0:
        raise ArchiveError(f"The archive says that {member.name!r} has less than no bytes.")
    if member.issparse():
        raise ArchiveError(
            f"The archive holds {member.name!r} as a file with holes; pack it without --sparse."
        )


def not_whole(name: str, why: str) -> ArchiveError:
    """The error for an archive that is none."""
    return ArchiveError(f"{name} is not a whole tar archive: {why}. Copy or pack it again.")


def check_end(stream: Any, offset: int, name: str) -> None:
    """Raise `ArchiveError` for a tar without its end, or damage behind it."""
    stream.seek(offset)
    if stream.read(BLOCK) != bytes(BLOCK):
        raise not_whole(name, "it breaks off before its end")
    for _ in range(64):  # the padding of large records; reading on checks the checksum, too
        if not stream.read(MEBIBYTE):
            return
    raise not_whole(name, "something follows its end")


def extract(tar: tarfile.TarFile, member: tarfile.TarInfo, path: Path) -> None:
    """Write one member; its mode and owner are not taken over."""
    if member.isdir():
        path.mkdir(parents=True, exist_ok=True)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    source = tar.extractfile(member)
    if source is None:
        raise ArchiveError(f"The archive's {member.name!r} can't be read.")
    with source, path.open("xb") as file:  # where names differ in case alone, some disks clash
        shutil.copyfileobj(source, file, MEBIBYTE)


def clear(folder: Path) -> None:
    """Remove what is in the folder."""
    for path in folder.iterdir() if folder.is_dir() else ():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def pack(folder: Path, archive: Path) -> None:
    """Write the folder as a gzipped tar: sorted, without times, owners or modes of its own.

    The same files give the same bytes, and the archive appears whole or not at all.
    """
    partial = archive.with_name(archive.name + ".partial")
    archive.parent.mkdir(parents=True, exist_ok=True)
    try:
        with (
            partial.open("wb") as raw,
            gzip.GzipFile("", "wb", fileobj=raw, mtime=0) as zipped,
            tarfile.open(fileobj=zipped, mode="w", format=tarfile.PAX_FORMAT) as tar,
        ):
            for path in sorted(folder.rglob("*")):
                tar.add(path, path.relative_to(folder).as_posix(), False, filter=anonymous)
        partial.replace(archive)
    finally:
        partial.unlink(missing_ok=True)


def anonymous(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """The member without what differs from machine to machine."""
    if not (member.isfile() or member.isdir()):
        raise ArchiveError(f"{member.name} is a link or a device; an archive holds plain files.")
    member.mtime = 0
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    member.mode = 0o755 if member.isdir() else 0o644
    return member
