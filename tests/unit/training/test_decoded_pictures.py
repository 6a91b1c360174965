"""Data sets are decoded as requests are, once, wherever they are kept."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from plumbline.pipeline.preprocess import preprocess
from plumbline.spec.model_spec import Preprocess
from plumbline.training import decoded_pictures
from plumbline.training.decoded_pictures import DecodedPictures, How
from plumbline.training.epoch_order import epoch_order
from plumbline.training.errors import DataError
from plumbline.training.readers.entries import Entry
from plumbline.vision.images import decode
from plumbline.vision.synthetic_pictures import pictures

HOWS = {
    "bytes": How(Preprocess(normalize="unit"), (20, 30)),
    "floats": How(Preprocess(resize="tensorflow-bilinear", normalize="tf"), (20, 30)),
    "gray letterbox": How(Preprocess(color="gray", fit="letterbox"), (24, 24)),
}


def entries(folder: Path, *files: bytes) -> list[Entry[int]]:
    """Files of these bytes."""
    found = []
    for number, data in enumerate(files):
        file = folder / f"{number}.jpg"
        file.write_bytes(data)
        found.append(Entry(file.name, file, number))
    return found


@pytest.fixture(params=["memory", "disk", "nowhere"])
def kept(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Where decoded pictures are kept."""
    if request.param != "memory":
        monkeypatch.setattr(decoded_pictures, "MEMORY_SHARE", 0.0)
    if request.param == "nowhere":
        monkeypatch.setattr(decoded_pictures, "DISK_SHARE", 0.0)
    return str(request.param)


@pytest.mark.parametrize("how", HOWS.values(), ids=HOWS)
def test_they_are_what_the_server_makes_of_them(how: How, kept: str, tmp_path: Path) -> None:
    files = [*pictures("JPEG")[:3], *pictures("PNG")[:2]]
    found = DecodedPictures(entries(tmp_path, *files), how, threads=2)
    found.check(max_bad=0.0)
    assert (found.kept is None) == (kept == "nowhere")
    assert isinstance(found.kept, np.memmap) == (kept == "disk")
    order = [4, 0, 2]
    spec = how.preprocess
    expected = [
        preprocess(
            decode(files[number], color=spec.color, exif=spec.exif, limits=how.limits),
            spec,
            how.size,
            "float32",
        )
        for number in order
    ]
    batch = found.batch(order)
    assert batch.dtype == how.dtype
    np.testing.assert_array_equal(how.normalized(batch), np.stack(expected))


def test_pictures_that_are_none_are_left_out_and_named(kept: str, tmp_path: Path) -> None:
    good = pictures("JPEG")[:3]
    files = [good[0], b"<html>", good[1], good[2][:300]]
    how = HOWS["bytes"]
    found = DecodedPictures(entries(tmp_path, *files), how, threads=2)
    found.check(max_bad=0.5)
    assert [bad.name for bad in found.bad] == ["1.jpg", "3.jpg"]
    assert "is not a picture" in found.bad[0].reason
    assert [entry.label for entry in found.entries] == [0, 2]
    np.testing.assert_array_equal(found.batch([1])[0], how.resized(good[1]))


def test_too_many_of_them_end_the_job_with_their_names(tmp_path: Path) -> None:
    files = [pictures("JPEG")[0], *[b"none"] * 12]
    found = DecodedPictures(entries(tmp_path, *files), HOWS["bytes"], threads=2)
    with pytest.raises(DataError) as caught:
        found.check(max_bad=0.01)
    assert caught.value.message.startswith(
        "12 of 13 pictures can't be used, and max_bad allows 1.00%. Mend or remove them, or raise "
        "max_bad: 1.jpg: The body is not a picture"
    )
    assert caught.value.message.endswith("; and 2 more")


def test_a_picture_that_changed_meanwhile_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decoded_pictures, "MEMORY_SHARE", 0.0)
    monkeypatch.setattr(decoded_pictures, "DISK_SHARE", 0.0)
    found = DecodedPictures(entries(tmp_path, *pictures("JPEG")[:1]), HOWS["bytes"], threads=1)
    found.check(max_bad=0)
    (tmp_path / "0.jpg").write_bytes(b"none")
    with pytest.raises(DataError, match=r"0\.jpg was a picture at first, and is none now"):
        found.batch([0])


def test_memory_does_not_grow_with_what_is_decoded_on_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A data set far larger than what threads hold at a time leaves no trace in the heap."""
    import tracemalloc

    monkeypatch.setattr(decoded_pictures, "MEMORY_SHARE", 0.0)
    stream = io.BytesIO()
    Image.new("RGB", (64, 64), "red").save(stream, "JPEG")
    how = How(Preprocess(), (256, 256))
    many = entries(tmp_path, stream.getvalue()) * 100
    found = DecodedPictures(many, how, threads=2)
    tracemalloc.start()
    try:
        found.check(max_bad=0)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 40 * 256 * 256 * 3


def test_the_order_of_an_epoch_depends_on_the_seed_and_the_epoch_alone() -> None:
    first = epoch_order(1000, 7, 3)
    assert sorted(first) == list(range(1000))
    np.testing.assert_array_equal(first, epoch_order(1000, 7, 3))
    for other in (epoch_order(1000, 7, 4), epoch_order(1000, 8, 3), np.arange(1000)):
        assert (first != other).mean() > 0.9
