"""RecordIO: what MXNet wrote is read, whatever a stream deals, and what is damaged is named."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plumbline.training.errors import DataError
from plumbline.training.readers import picture_records
from plumbline.training.readers.recordio import MAGIC, frame, records

PAYLOADS = (
    b"plain",
    b"",
    MAGIC,
    b"ab" + MAGIC + b"cd",
    b"abcd" + MAGIC + b"efgh",
    MAGIC + MAGIC,
    b"abcd" + MAGIC,
    b"x" * 7 + MAGIC + b"y",
    b"abcd" + MAGIC + b"efgh" + MAGIC + b"i",
)

BY_MXNET = bytes.fromhex(
    "0a23d7ce05000000706c61696e0000000a23d7ce000000000a23d7ce000000200a23d7ce000000600a23d7ce08000000"
    "61620a23d7ce63640a23d7ce04000020616263640a23d7ce04000060656667680a23d7ce000000200a23d7ce00000040"
    "0a23d7ce000000600a23d7ce04000020616263640a23d7ce000000600a23d7ce0c000000787878787878780a23d7ce79"
    "0a23d7ce04000020616263640a23d7ce04000040656667680a23d7ce0100006069000000"
)
"""The payloads, one after another, by `mxnet.recordio.MXRecordIO` of MXNet 1.9.1."""

HEADED_BY_MXNET = {
    (3.0,): "0000000000004040070000000000000000000000000000004a504547",
    (
        1.0,
        0.0,
        1.0,
    ): "0300000000000000080000000000000000000000000000000000803f000000000000803f4a504547",
}
"""What `mxnet.recordio.pack` of MXNet 1.9.1 makes of a label and the bytes `JPEG`."""


class Dribble(io.BytesIO):
    """A pipe that never gives more than three bytes."""

    def read(self, size: int | None = -1) -> bytes:
        return super().read(min(3, size) if size and size > 0 else size)


def read(data: bytes) -> list[bytes]:
    return [record.data for record in records(io.BytesIO(data), "train.rec")]


def test_what_mxnet_wrote_is_read_and_written_alike() -> None:
    assert tuple(read(BY_MXNET)) == PAYLOADS
    assert b"".join(map(frame, PAYLOADS)) == BY_MXNET
    assert tuple(record.data for record in records(Dribble(BY_MXNET), "pipe")) == PAYLOADS


def test_each_record_can_be_read_again_where_it_begins() -> None:
    for record in records(io.BytesIO(BY_MXNET), "train.rec"):
        assert next(records(io.BytesIO(BY_MXNET[record.offset :]), "again")).data == record.data


@given(st.lists(st.lists(st.sampled_from([b"a", MAGIC, b"bcd", MAGIC[:2]])).map(b"".join)))
def test_what_is_written_is_read(payloads: list[bytes]) -> None:
    assert read(b"".join(map(frame, payloads))) == payloads


@pytest.mark.parametrize("end", range(len(BY_MXNET)))
def test_a_file_that_breaks_off_anywhere_is_told_from_one_that_ends(end: int) -> None:
    begins = [record.offset for record in records(io.BytesIO(BY_MXNET), "train.rec")]
    if end in begins:
        assert read(BY_MXNET[:end]) == list(PAYLOADS[: begins.index(end)])
        return
    with pytest.raises(DataError, match=r"^train\.rec breaks off in the record that begins at"):
        read(BY_MXNET[:end])


@pytest.mark.parametrize(
    ("data", "sentence"),
    {
        "a JPEG": (b"\xff\xd8\xff\xe0" + bytes(60), "is no RecordIO from byte 0 on"),
        "rubbish later": (frame(b"one") + b"rubbish, of which there is some", "from byte 12 on"),
        "a last part alone": (BY_MXNET[32:40] + BY_MXNET, "a part of a record is missing"),
        "no last part": (BY_MXNET[24:32] + frame(b"one"), "a part of a record is missing"),
        "the end amid parts": (BY_MXNET[24:32], "begins at byte 0: its last part is missing"),
    }.values(),
)
def test_what_is_damaged_is_named_with_its_place(data: bytes, sentence: str) -> None:
    with pytest.raises(DataError, match=sentence):
        read(data)


@pytest.mark.parametrize("label", HEADED_BY_MXNET)
def test_pictures_and_labels_are_those_that_mxnet_packed(
    label: tuple[float, ...], tmp_path: Path
) -> None:
    packed = bytes.fromhex(HEADED_BY_MXNET[label])
    assert picture_records.pack(b"JPEG", label, 7 if len(label) == 1 else 8) == packed
    file = tmp_path / "train.rec"
    file.write_bytes(frame(b"\0" * 24) + frame(packed))
    _, found = picture_records.read_file(file)
    assert (found.label, found.read()) == (label, b"JPEG")
    assert found.name == "train.rec at byte 32"


@pytest.mark.parametrize(
    ("record", "sentence"),
    {
        "protobuf": (b"\x0a\x12\x0a\x06values", "is a protobuf record"),
        "too short": (b"JPEG", "has 4 bytes, fewer than the 24"),
        "a label that is not there": (struct.pack("<IfQQ", 9, 0, 0, 0), "label has 9 numbers"),
    }.values(),
)
def test_records_that_hold_no_picture_are_named(
    record: bytes, sentence: str, tmp_path: Path
) -> None:
    (tmp_path / "train.rec").write_bytes(frame(record))
    with pytest.raises(DataError, match=rf"train\.rec at byte 0 .*{sentence}"):
        picture_records.read_file(tmp_path / "train.rec")


def test_a_file_that_shrank_since_is_told(tmp_path: Path) -> None:
    file = tmp_path / "train.rec"
    file.write_bytes(frame(picture_records.pack(b"JPEG", (1.0,), 0)))
    [entry] = picture_records.read_file(file)
    file.write_bytes(b"")
    with pytest.raises(DataError, match=r"train\.rec was cut short"):
        entry.read()
    file.unlink()
    with pytest.raises(DataError, match="can't be read: No such file"):
        entry.read()
