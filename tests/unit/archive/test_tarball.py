"""model.tar.gz ↔ folder: hostile archives in, reproducible ones out."""

from __future__ import annotations

import gzip
import io
import lzma
import os
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plumbline.archive.tarball import Bounds, pack, unpack
from plumbline.errors import ArchiveError
from strategies import nasty

LARGE = (
    "The archive unpacks to more than 1,000,000 bytes or 10 files; leave out what the model does "
    "not need, such as checkpoints and data."
)


LINK = "which is a link or a device; pack plain files (tar --dereference)."


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type = kind
    info.linkname = link
    return info


def tar_of(*members: tuple[tarfile.TarInfo, bytes]) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as tar:
        for info, data in members:
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return stream.getvalue()


def everything_below(folder: Path) -> dict[str, bytes | None]:
    """Every path below the folder, with the bytes of those that are files."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() if path.is_file() else None
        for path in folder.rglob("*")
    }


GOOD = (member("good.txt"), b"good")

ZOO: dict[str, tuple[Callable[[], bytes], str]] = {
    "absolute path": (
        lambda: tar_of(GOOD, (member("/etc/passwd"), b"x")),
        "The archive holds '/etc/passwd', a path outside itself.",
    ),
    "parent folder": (
        lambda: tar_of(GOOD, (member("../outside"), b"x")),
        "The archive holds '../outside', a path outside itself.",
    ),
    "parent folder within": (
        lambda: tar_of(GOOD, (member("a/../../outside"), b"x")),
        "The archive holds 'a/../../outside', a path outside itself.",
    ),
    "symlink": (
        lambda: tar_of(GOOD, (member("link", tarfile.SYMTYPE, "/etc/passwd"), b"")),
        f"The archive holds 'link', {LINK}",
    ),
    "symlink to write through": (
        lambda: tar_of((member("d", tarfile.SYMTYPE, "../.."), b""), (member("d/outside"), b"x")),
        f"The archive holds 'd', {LINK}",
    ),
    "hard link": (
        lambda: tar_of(GOOD, (member("link", tarfile.LNKTYPE, "good.txt"), b"")),
        f"The archive holds 'link', {LINK}",
    ),
    "character device": (
        lambda: tar_of(GOOD, (member("null", tarfile.CHRTYPE), b"")),
        f"The archive holds 'null', {LINK}",
    ),
    "block device": (
        lambda: tar_of(GOOD, (member("sda", tarfile.BLKTYPE), b"")),
        f"The archive holds 'sda', {LINK}",
    ),
    "fifo": (
        lambda: tar_of(GOOD, (member("pipe", tarfile.FIFOTYPE), b"")),
        f"The archive holds 'pipe', {LINK}",
    ),
    "too many files": (
        lambda: tar_of(*((member(f"{number}"), b"") for number in range(11))),
        LARGE,
    ),
    "too large": (
        lambda: tar_of((member("a"), bytes(600_000)), (member("b"), bytes(400_001))),
        LARGE,
    ),
}


@pytest.mark.parametrize(("archive", "sentence"), ZOO.values(), ids=ZOO)
def test_a_hostile_archive_is_refused_and_nothing_is_unpacked(
    archive: Callable[[], bytes], sentence: str, tmp_path: Path
) -> None:
    file, target = tmp_path / "model.tar.gz", tmp_path / "deep" / "target"
    file.write_bytes(archive())
    target.mkdir(parents=True)
    with pytest.raises(ArchiveError) as caught:
        unpack(file, target, Bounds(size=1_000_000, files=10))
    assert caught.value.message == sentence
    assert sorted(everything_below(tmp_path)) == ["deep", "deep/target", "model.tar.gz"]


BROKEN = {
    "empty": b"",
    "not a tar": b"This is no archive." * 100,
    "gzip of no tar": gzip.compress(b"This is no archive." * 100),
    "truncated gzip": tar_of((member("a"), os.urandom(50_000)))[:20_000],
    "damaged gzip": b"".join([tar_of((member("a"), bytes(50_000)))[:40], b"\xff" * 20, bytes(40)]),
    "truncated tar": gzip.decompress(tar_of((member("a"), bytes(50_000))))[:20_000],
    "damaged xz": lzma.compress(gzip.decompress(tar_of((member("a"), os.urandom(200_000)))))[
        :-9_000
    ]
    + bytes(9_000),
}


@pytest.mark.parametrize("data", BROKEN.values(), ids=BROKEN)
def test_a_broken_archive_is_refused(data: bytes, tmp_path: Path) -> None:
    file, target = tmp_path / "model.tar.gz", tmp_path / "target"
    file.write_bytes(data)
    target.mkdir()
    with pytest.raises(
        ArchiveError, match=r"^model\.tar\.gz is not a whole tar archive: (?s:.+)\.$"
    ):
        unpack(file, target)
    assert set(everything_below(tmp_path)) <= {"model.tar.gz", "target", "target/a"}


@pytest.mark.parametrize(
    "members",
    [
        [(member("a"), b"x"), (member("a/b"), b"y")],
        [(member("a", tarfile.DIRTYPE), b""), (member("a"), b"x")],
        [(member("a\x00b" * 40), b"x")],
        [(member("n" * 300), b"x")],
    ],
    ids=["file as folder", "folder as file", "null byte", "name too long"],
)
def test_names_that_can_not_be_written_are_refused(
    members: list[tuple[tarfile.TarInfo, bytes]], tmp_path: Path
) -> None:
    file, target = tmp_path / "model.tar.gz", tmp_path / "target"
    file.write_bytes(tar_of(*members))
    target.mkdir()
    with pytest.raises(ArchiveError):
        unpack(file, target)


@nasty
@given(
    st.lists(
        st.sampled_from(["a", "b", "..", ".", "", "...", "..a", "c d", "~"]), min_size=1, max_size=5
    ),
    st.booleans(),
)
def test_whatever_a_name_is_nothing_lands_outside(parts: list[str], absolute: bool) -> None:
    name = ("/" if absolute else "") + "/".join(parts)
    with tempfile.TemporaryDirectory() as folder:
        file, target = Path(folder) / "model.tar", Path(folder) / "1" / "2" / "target"
        file.write_bytes(tar_of((member(name), b"x")))
        target.mkdir(parents=True)
        try:
            unpack(file, target)
        except ArchiveError:
            pass
        else:
            written = target.joinpath(*name.strip("/").split("/"))
            assert written.read_bytes() == b"x"
        outside = {"model.tar", "1", "1/2", "1/2/target"}
        below = set(everything_below(Path(folder)))
        assert {path for path in below if not path.startswith("1/2/target/")} == outside


def test_modes_and_owners_are_not_taken_over(tmp_path: Path) -> None:
    info = member("run.sh")
    info.mode = 0o6777
    file, target = tmp_path / "model.tar.gz", tmp_path / "target"
    file.write_bytes(tar_of((info, b"x")))
    unpack(file, target)
    assert (target / "run.sh").stat().st_mode & 0o7111 == 0


def test_a_tar_that_is_not_compressed_is_taken(tmp_path: Path) -> None:
    file, target = tmp_path / "model.tar", tmp_path / "target"
    file.write_bytes(gzip.decompress(tar_of(GOOD)))
    unpack(file, target)
    assert everything_below(target) == {"good.txt": b"good"}


NAMES = st.text("abä .-_", min_size=1, max_size=4).filter(lambda name: name.strip(". "))
TREES = st.dictionaries(
    st.tuples(NAMES.map("d".__add__), NAMES.map("f".__add__)).map("/".join)
    | NAMES.map("f".__add__),
    st.binary(max_size=200),
    min_size=1,
    max_size=6,
)


def plant(tree: dict[str, bytes], folder: Path) -> Path:
    folder.mkdir()
    for name, data in tree.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


@given(TREES)
def test_what_is_packed_is_what_is_unpacked_and_the_same_files_give_the_same_bytes(
    tree: dict[str, bytes],
) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        first = plant(tree, folder / "first")
        second = plant(dict(reversed(tree.items())), folder / "second")
        for path in second.rglob("*"):
            os.utime(path, (1, 1))
        pack(first, folder / "a.tar.gz")
        pack(second, folder / "b.tar.gz")
        unpack(folder / "a.tar.gz", folder / "target")
        assert (folder / "a.tar.gz").read_bytes() == (folder / "b.tar.gz").read_bytes()
        assert everything_below(folder / "target") == everything_below(first)


def test_the_tar_says_nothing_about_the_machine(tmp_path: Path) -> None:
    folder = plant({"b/x": b"1", "a": b"2"}, tmp_path / "folder")
    (folder / "a").chmod(0o600)
    pack(folder, tmp_path / "made" / "model.tar.gz")
    with tarfile.open(tmp_path / "made" / "model.tar.gz") as tar:
        found = [(i.name, i.mode, i.mtime, i.uid, i.gid, i.uname, i.gname) for i in tar]
    assert found == [
        ("a", 0o644, 0, 0, 0, "", ""),
        ("b", 0o755, 0, 0, 0, "", ""),
        ("b/x", 0o644, 0, 0, 0, "", ""),
    ]


def test_a_link_is_not_packed_and_no_archive_appears(tmp_path: Path) -> None:
    folder = plant({"a": b"1"}, tmp_path / "folder")
    (folder / "link").symlink_to("a")
    with pytest.raises(ArchiveError) as caught:
        pack(folder, tmp_path / "model.tar.gz")
    assert caught.value.message == "link is a link or a device; an archive holds plain files."
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder"]
