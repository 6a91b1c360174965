"""Archives that lie about themselves, and archives that stop half-way: nothing stays behind."""

from __future__ import annotations

import gzip
import io
import os
import tarfile
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from plumbline.archive.tarball import Bounds, unpack
from plumbline.errors import ArchiveError

MEBIBYTE = 1024 * 1024


def header(name: str, size: int, kind: bytes = tarfile.REGTYPE) -> bytes:
    """One member's header, which says a size whatever follows."""
    info = tarfile.TarInfo(name)
    info.type = kind
    info.size = size
    return info.tobuf(tarfile.GNU_FORMAT)


def whole(*files: tuple[str, bytes]) -> bytes:
    """A tar of plain files, with its end."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        for name, data in files:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return stream.getvalue()


def pax(**records: str) -> bytes:
    """A header that overrides the next one, and a member with two bytes after it."""
    info = tarfile.TarInfo("a")
    info.size = 2
    info.pax_headers = dict(records)
    return info.tobuf(tarfile.PAX_FORMAT) + b"xy".ljust(512, b"\0") + bytes(1024)


def with_comment(name: str, size: int) -> bytes:
    """An empty file with a long comment."""
    info = tarfile.TarInfo(name)
    info.pax_headers = {"comment": "y" * size}
    return info.tobuf(tarfile.PAX_FORMAT)


def sparse() -> bytes:
    """A file of 8 GB, all of it a hole."""
    return pax(
        **{"GNU.sparse.major": "0", "GNU.sparse.size": str(8 * 1024**3), "GNU.sparse.map": "0,0"}
    )


LARGE = 32 * MEBIBYTE

TRICKS: dict[str, tuple[Callable[[], bytes], str]] = {
    "a bomb of zeros": (
        lambda: gzip.compress(whole(("zeros", bytes(40 * MEBIBYTE)))),
        "The archive unpacks to more than 33,554,432 bytes or 20,000 files;",
    ),
    "a size that is not there": (
        lambda: header("a", 7 * 1024**3) + bytes(1024),
        "The archive unpacks to more than 33,554,432 bytes or 20,000 files;",
    ),
    "a PAX size of 8 GB": (
        lambda: pax(size=str(8 * 1024**3)),
        "The archive unpacks to more than 33,554,432 bytes or 20,000 files;",
    ),
    "a long name of 32 MB": (
        lambda: header("x", LARGE, tarfile.GNUTYPE_LONGNAME) + b"n" * LARGE + bytes(1024),
        "The archive holds a name or a header of more than a megabyte.",
    ),
    "a PAX header of 32 MB": (
        lambda: header("x", LARGE, tarfile.XHDTYPE) + b"n" * LARGE + bytes(1024),
        "The archive holds a name or a header of more than a megabyte.",
    ),
    "many PAX headers": (
        lambda: gzip.compress(b"".join(with_comment(f"f{n}", 900_000) for n in range(40)), 1),
        "The names and headers of the archive take more than 33,554,432 bytes",
    ),
    "headers about headers": (
        lambda: header("x", 0, tarfile.XHDTYPE) * 2_000 + bytes(1024),
        "model.tar.gz is not a whole tar archive: it is damaged, or another kind of file.",
    ),
    "a long name again and again": (
        lambda: (header("x", 900_000, tarfile.GNUTYPE_LONGNAME) + b"n" * 900_096) * 9 + bytes(1024),
        "The archive holds headers of some megabytes about one file.",
    ),
    "a file with very many holes": (
        lambda: gzip.compress(
            pax(**{"GNU.sparse.major": "1", "GNU.sparse.minor": "0"})[:-1536]
            + b"9999999\n".ljust(8, b"0")
            + (b"0" * 63 + b"\n") * (MEBIBYTE // 16)
        ),
        "The archive holds headers of some megabytes about one file.",
    ),
    "a file with holes": (
        sparse,
        "The archive holds 'a' as a file with holes; pack it without --sparse.",
    ),
    "a file twice": (
        lambda: whole(("model/a", b"1"), ("model/./a", b"2")),
        "The archive holds 'model/./a' twice; pack it again.",
    ),
    "a file as a folder": (
        lambda: whole(("good", b"1"), ("a", b"2"), ("a/b", b"3")),
        "model.tar.gz can't be unpacked: ",
    ),
    "no end": (
        lambda: whole(("a", b"1"), ("b", b"2"))[:2048],
        "model.tar.gz is not a whole tar archive: it breaks off before its end.",
    ),
    "a damaged checksum": (
        lambda: gzip.compress(whole(("a", b"1")))[:-8] + bytes(8),
        "model.tar.gz is not a whole tar archive: it is damaged, or another kind of file.",
    ),
    "no trailer": (
        lambda: gzip.compress(whole(("a", b"1")))[:-4],
        "model.tar.gz is not a whole tar archive: it is damaged, or another kind of file.",
    ),
    "a gigabyte behind its end": (
        lambda: whole(("a", b"1")) + bytes(80 * MEBIBYTE),
        "model.tar.gz is not a whole tar archive: something follows its end.",
    ),
}


@pytest.mark.parametrize(("archive", "sentence"), TRICKS.values(), ids=TRICKS)
def test_a_trick_is_refused_in_little_memory_and_leaves_nothing(
    archive: Callable[[], bytes], sentence: str, tmp_path: Path
) -> None:
    file, target = tmp_path / "model.tar.gz", tmp_path / "target"
    file.write_bytes(archive())
    target.mkdir()
    tracemalloc.start()
    try:
        with pytest.raises(ArchiveError) as caught:
            unpack(file, target, Bounds(unsuspicious=32 * MEBIBYTE))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert caught.value.message.startswith(sentence)
    assert peak < 64 * MEBIBYTE
    assert list(target.iterdir()) == []


def test_a_negative_size_is_refused(tmp_path: Path) -> None:
    """Newer versions of Python stop reading at it, and see an archive without any file."""
    file, target = tmp_path / "model.tar.gz", tmp_path / "target"
    file.write_bytes(pax(size="-1024"))
    target.mkdir()
    with pytest.raises(ArchiveError, match=r"less than no bytes|is an empty archive"):
        unpack(file, target)
    assert list(target.iterdir()) == []


def test_an_archive_of_nothing_is_refused(tmp_path: Path) -> None:
    file, target = tmp_path / "model.tar.gz", tmp_path / "target"
    file.write_bytes(whole())
    target.mkdir()
    with pytest.raises(ArchiveError, match="is an empty archive"):
        unpack(file, target)


def test_what_breaks_off_on_the_disk_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, target = tmp_path / "model.tar.gz", tmp_path / "target"
    file.write_bytes(whole(("a/b", b"1"), ("c", b"2")))
    target.mkdir()

    def full(_source: object, sink: io.BufferedWriter, _size: int) -> None:
        if Path(sink.name).name == "c":
            raise OSError(28, "No space left on device")

    monkeypatch.setattr("plumbline.archive.tarball.shutil.copyfileobj", full)
    with pytest.raises(ArchiveError, match="No space left on device"):
        unpack(file, target)
    assert list(target.iterdir()) == []


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_large_files_come_out_as_they_went_in_however_compressed(mode: str, tmp_path: Path) -> None:
    data = os.urandom(MEBIBYTE + 17)
    with tarfile.open(tmp_path / "model.tar.gz", mode) as tar:  # type: ignore[call-overload]
        for name in ("a", "n" * 200):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    unpack(tmp_path / "model.tar.gz", tmp_path / "target")
    assert {p.name: p.read_bytes() for p in (tmp_path / "target").iterdir()} == {
        "a": data,
        "n" * 200: data,
    }
