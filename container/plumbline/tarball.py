"""model.tar.gz ↔ folder: untrusted archives in, reproducible archives out."""

from __future__ import annotations

import gzip
import shutil
import tarfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from plumbline.errors import ArchiveError


@dataclass(frozen=True)
class Bounds:
    """What an archive may unpack to."""

    size: int = 16 * 1024**3
    files: int = 20_000


def unpack(archive: Path, target: Path, bounds: Bounds | None = None) -> None:
    """Unpack a (gzipped) tar into the empty folder `target`. Raises `ArchiveError`.

    Only plain files and folders are taken; links, devices and paths that leave the folder are
    refused, and nothing is unpacked from an archive that has one.
    """
    bounds = bounds or Bounds()
    try:
        with tarfile.open(archive) as tar:
            members = list(checked(tar, bounds))
            for member, path in members:
                extract(tar, member, target / path)
    except (tarfile.TarError, EOFError, zlib.error, OSError) as exc:
        raise ArchiveError(f"{archive.name} is not a whole tar archive: {exc}.") from exc


def checked(tar: tarfile.TarFile, bounds: Bounds) -> Iterator[tuple[tarfile.TarInfo, Path]]:
    """The members and where they go; raises at the first that is not allowed."""
    size = 0
    for count, member in enumerate(tar, start=1):
        path = PurePosixPath(member.name)
        size += member.size
        if path.is_absolute() or ".." in path.parts:
            raise ArchiveError(f"The archive holds {member.name!r}, a path outside itself.")
        if not (member.isfile() or member.isdir()):
            raise ArchiveError(
                f"The archive holds {member.name!r}, which is a link or a device; "
                "pack plain files (tar --dereference)."
            )
        if size > bounds.size or count > bounds.files:
            raise ArchiveError(
                f"The archive unpacks to more than {bounds.size:,} bytes or {bounds.files:,} files."
            )
        yield member, Path(path)


def extract(tar: tarfile.TarFile, member: tarfile.TarInfo, path: Path) -> None:
    """Write one member; its mode and owner are not taken over."""
    if member.isdir():
        path.mkdir(parents=True, exist_ok=True)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    source = tar.extractfile(member)
    if source is None:
        raise ArchiveError(f"The archive's {member.name!r} can't be read.")
    with source, path.open("wb") as file:
        shutil.copyfileobj(source, file, 1024 * 1024)


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
