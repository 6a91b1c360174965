"""Channels and manifests hold the same masks; what is wrong with them is said."""

from __future__ import annotations

import io
import json
import shutil
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from masked_layouts import (
    EXIF_ORIENTATION,
    IGNORED,
    LAYOUTS,
    Masked,
    channels,
    job_folder,
    masked,
    png,
)
from plumbline.errors import PlumblineError
from plumbline.training import hyperparameters, recipes
from plumbline.training.errors import DataError
from plumbline.training.job import read_job
from plumbline.training.readers.mask_files import AS_THEY_ARE, read_label_map, read_mask
from plumbline.training.recipe_process import RECIPES
from plumbline.training.segmenters.masked_pictures import MaskedPictures
from plumbline.training.segmenters.segmentation_run import Run, begun
from plumbline.training.segmenters.segmentation_table import TABLE
from plumbline.training.stopping import Stop
from plumbline.vision.images import Limits

TRAIN, VALIDATION = masked(12), masked(5, begin=12)


def run(root: Path, **given: str) -> Run:
    """A job as it is before its network is built."""
    values = hyperparameters.read(TABLE, {"size": "32,48", **given})
    (root / "scratch").mkdir(exist_ok=True)
    return begun(read_job(root, {}), Stop(), values, root / "scratch")


def upright(each: Masked) -> np.ndarray:
    """A mask turned as Pillow turns its picture."""
    picture = Image.fromarray(each.mask)
    orientation = Image.open(io.BytesIO(each.data)).getexif().get(EXIF_ORIENTATION, 1)
    picture.getexif()[EXIF_ORIENTATION] = orientation
    return np.asarray(ImageOps.exif_transpose(picture))


def truths(pictures: MaskedPictures) -> list[np.ndarray]:
    """The masks in their own sizes."""
    return [mask for mask, _ in pictures.truths(range(len(pictures.entries)))]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_gives_the_masks_upright_in_the_order_of_the_pictures(
    layout: str, tmp_path: Path
) -> None:
    root = job_folder(tmp_path / layout, layout, TRAIN, VALIDATION)

    found = run(root)

    (root / "input/config/hyperparameters.json").write_text('{"crop_size": "48"}')
    assert recipes.choose(read_job(root, {}), RECIPES).name == "segmentation"
    for pictures, expected in ((found.train, TRAIN), (found.validation.pictures, VALIDATION)):
        for mask, each in zip(truths(pictures), expected, strict=True):
            np.testing.assert_array_equal(mask, upright(each))
    other = run(job_folder(tmp_path / "other", "channels", TRAIN, VALIDATION))
    assert found.train.digest == other.train.digest
    np.testing.assert_array_equal(found.train.kept, other.train.kept)


@pytest.mark.parametrize("fit", ["stretch", "letterbox", "crop", "pad", "yolo"])
def test_masks_lie_in_the_network_as_their_pictures(fit: str, tmp_path: Path) -> None:
    """By a picture that is its own mask; where there is no picture, nothing counts."""
    mask = np.zeros((50, 80), np.uint8)
    mask[10:40, 20:70] = 1
    file = io.BytesIO()
    Image.fromarray(mask * 200 + 20).save(file, "PNG")
    root = job_folder(tmp_path, "channels", [Masked(file.getvalue(), mask, "png")] * 2, None)

    found = run(root, fit=fit, resize="pillow-nearest", normalize="none").train

    pictures, masks = found.with_masks([0])
    seen = masks != IGNORED
    np.testing.assert_array_equal(masks[seen], (pictures[..., 0] == 220)[seen])
    assert seen.all() == (fit in ("stretch", "crop"))
    assert not np.isin(pictures[~seen], (20, 220)).any()
    assert set(np.unique(masks[seen])) == {0, 1}


DRAWN = [
    (form, orientation)
    for form in ("upright", "stored")
    for orientation in range(1, 9)
    # Of a picture that keeps its size, nothing tells a mask as it is stored from one upright.
    if form == "upright" or orientation not in (2, 3, 4)
]


@pytest.mark.parametrize(("form", "orientation"), DRAWN)
def test_masks_turn_with_pictures_that_exif_turns(
    form: str, orientation: int, tmp_path: Path
) -> None:
    """As boxes do: a mask is of the picture upright, unless only the stored one has its size."""
    rng = np.random.default_rng(orientation)
    stored, file = Image.fromarray(rng.integers(0, 2, (40, 43), np.uint8)), io.BytesIO()
    exif = Image.Exif()
    exif[EXIF_ORIENTATION] = orientation
    stored.convert("RGB").save(file, "PNG", exif=exif)
    each = Masked(file.getvalue(), np.asarray(stored), "png")
    shown = upright(each)
    given = each._replace(mask=shown) if form == "upright" else each

    found = run(job_folder(tmp_path, "channels", [given] * 2, None)).train

    np.testing.assert_array_equal(truths(found)[0], shown)


def test_a_mask_that_fits_both_ways_is_upright(tmp_path: Path) -> None:
    """Of a square picture, too, as of one whose orientation keeps its size."""
    mask = np.zeros((40, 40), np.uint8)
    mask[:10, :20] = 1
    file, exif = io.BytesIO(), Image.Exif()
    exif[EXIF_ORIENTATION] = 6
    Image.fromarray(mask * 200).save(file, "PNG", exif=exif)
    pictures = [Masked(file.getvalue(), mask, "png")] * 2
    found = run(job_folder(tmp_path, "channels", pictures, None)).train
    np.testing.assert_array_equal(truths(found)[0], mask)


def test_without_a_channel_for_it_a_share_is_validated_on(tmp_path: Path) -> None:
    root = job_folder(tmp_path, "channels", TRAIN, None)
    found = run(root, validation_split="0.25")
    sides = [
        [each.name for each in side.entries] for side in (found.train, found.validation.pictures)
    ]
    assert len(sides[1]) == 3
    assert sorted(sides[0] + sides[1]) == [
        f"some/{number:05}.{each.ending}" for number, each in enumerate(TRAIN)
    ]
    again = run(root, validation_split="0.25")
    assert [each.name for each in again.validation.pictures.entries] == sides[1]


def test_classes_are_counted_and_named(tmp_path: Path) -> None:
    plain = job_folder(tmp_path / "plain", "channels", TRAIN, VALIDATION)
    assert run(plain).labels == ("0", "1", "2")
    assert run(plain, class_names="a,b,c").labels == ("a", "b", "c")
    assert run(plain, num_classes="4").labels == ("0", "1", "2", "3")
    told = job_folder(tmp_path / "told", "manifest", TRAIN, VALIDATION)
    assert run(told).labels == ("ground", "stroke", "2")


@pytest.mark.parametrize(
    ("document", "encoded", "expected"),
    [
        # The two examples of the built-in algorithm's documentation.
        ({"scale": "3"}, [0, 3, 6], [0, 1, 2]),
        ({"map": {"0": 5, "1": 0, "2": 2}}, [0, 5, 2], [1, 0, 2]),
        ({"scale": 1}, [0, 7, 255], [0, 7, 255]),
        ({"scale": 100}, [0, 99, 100, 254, 255], [0, 0, 1, 2, 255]),
        ({"map": {"1": 255, "0": 0}}, [0, 255], [0, 1]),
    ],
)
def test_label_maps_mean_what_the_built_in_algorithm_means(
    document: object, encoded: list[int], expected: list[int], tmp_path: Path
) -> None:
    (tmp_path / "train_label_map.json").write_text(json.dumps(document))
    meaning = read_label_map(tmp_path / "train_label_map.json")
    found = read_mask(png(np.uint8([encoded])), meaning, Limits())
    assert found.tolist() == [expected]


def test_label_maps_of_a_job_are_those_of_their_channels(tmp_path: Path) -> None:
    tripled = [each._replace(mask=np.where(each.mask < 3, each.mask * 3, 255)) for each in TRAIN]
    tripled = [each._replace(mask=np.uint8(each.mask)) for each in tripled]
    root = job_folder(tmp_path, "channels", tripled, VALIDATION)
    (root / "input/data/label_map").mkdir()
    (root / "input/data/label_map/train_label_map.json").write_text('{"scale": "3"}')

    found = run(root, num_classes="3")

    for mask, each in zip(truths(found.train), TRAIN, strict=True):
        np.testing.assert_array_equal(mask, upright(each))


@pytest.mark.parametrize("depth", [1, 2, 4, 8])
def test_grays_of_few_bits_are_the_numbers_that_are_written(depth: int) -> None:
    """As OpenCV and libpng write them; Pillow alone would make 3 of two bits 255."""
    values = np.arange(16, dtype=np.uint8).reshape(2, 8) % (1 << min(depth, 4))
    bits = np.unpackbits(values[..., np.newaxis], axis=-1)[..., -depth:]
    rows = np.packbits(bits.reshape(2, -1), axis=-1)
    data = zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows))
    header = struct.pack(">IIBBBBB", 8, 2, depth, 0, 0, 0, 0)
    file = b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in ((b"IHDR", header), (b"IDAT", data), (b"IEND", b""))
    )
    np.testing.assert_array_equal(read_mask(file, AS_THEY_ARE, Limits()), values)


def one_mask(root: Path) -> Path:
    """The mask that is spoilt."""
    return root / "input/data/train_annotation/some/00003.png"


def rgb(root: Path) -> None:
    Image.open(one_mask(root)).convert("RGB").save(one_mask(root))


def smaller(root: Path) -> None:
    Image.open(one_mask(root)).crop((0, 0, 30, 20)).save(one_mask(root))


def jpeg(root: Path) -> None:
    Image.open(one_mask(root)).convert("L").save(one_mask(root), "JPEG")


def broken(root: Path) -> None:
    one_mask(root).write_bytes(one_mask(root).read_bytes()[:60])


def sixteen_bits(root: Path) -> None:
    Image.fromarray(np.full(TRAIN[3].mask.shape, 300, np.uint16)).save(one_mask(root))


def without_mask(root: Path) -> None:
    one_mask(root).unlink()


def without_picture(root: Path) -> None:
    (one_mask(root).parents[2] / "train/some/00003.jpg").unlink()


def no_annotations(root: Path) -> None:
    shutil.rmtree(root / "input/data/train_annotation")


def no_png(root: Path) -> None:
    for file in (root / "input/data/train_annotation/some").iterdir():
        file.rename(file.with_suffix(".tif"))


def two_of_a_name(root: Path) -> None:
    pictures = root / "input/data/train/some"
    shutil.copy(pictures / "00003.jpg", pictures / "00003.jpeg")


def label_map(text: str) -> Callable[[Path], None]:
    def write(root: Path) -> None:
        (root / "input/data/label_map").mkdir()
        (root / "input/data/label_map/train_label_map.json").write_text(text)

    return write


def pipe(root: Path) -> None:
    inputs = {name: {"TrainingInputMode": "Pipe"} for name in ("train", "train_annotation")}
    (root / "input/config/inputdataconfig.json").write_text(json.dumps(inputs))


def one_class(root: Path) -> None:
    shutil.rmtree(root / "input/data/train")
    shutil.rmtree(root / "input/data/train_annotation")
    channels(root, "train", [each._replace(mask=each.mask * 0) for each in TRAIN])


@pytest.mark.parametrize(
    ("spoil", "given", "sentence"),
    [
        (rgb, {}, r"1 of 12 .* some/00003.jpg: its mask 00003.png has several channels \(RGB\)"),
        (smaller, {}, "its mask 00003.png is of 30×20 pixels, and the picture of 43×40"),
        (jpeg, {}, "its mask 00003.png is of the format JPEG; save masks as PNG"),
        (broken, {}, "its mask 00003.png (is damaged|can't be read)"),
        (sixteen_bits, {}, "has the value 300; classes are from 0 to 254"),
        (
            without_mask,
            {},
            "1 of 12 .* some/00003.jpg: has no mask some/00003.png in the channel train_annotation",
        ),
        (
            without_picture,
            {},
            "1 of 12 .* train_annotation/some/00003.png: is the mask of a picture that the channel",
        ),
        (no_annotations, {}, "The channel train has no masks: give a channel train_annotation"),
        (no_png, {}, "The channel train_annotation holds no PNG files"),
        (two_of_a_name, {}, "holds 00003.jpeg and 00003.jpg, which would have the same mask"),
        (label_map("{}"), {}, r'train_label_map.json is {}; it has to be {"scale": "3"}'),
        (label_map("no"), {}, "train_label_map.json is no JSON"),
        (label_map('{"map": {"0": 0, "1": 2}}'), {}, "has the value 1, which the label map gives"),
        (label_map('{"map": {"0": 700}}'), {}, "it has to be"),
        (
            pipe,
            {},
            "The channel train is a pipe of something else: RecordWrapperType has to be Rec",
        ),
        (one_class, {}, "have one class only"),
        (lambda _: None, {"num_classes": "2"}, "has the class 2, and there are 2 classes, counted"),
        (lambda _: None, {"class_names": "a,b"}, "class_names has 2 names, and there are 3"),
        (lambda _: None, {"size": "40"}, "multiples of 16. Take size="),
    ],
)
def test_what_is_wrong_is_said(
    spoil: Callable[[Path], None], given: dict[str, str], sentence: str, tmp_path: Path
) -> None:
    root = job_folder(tmp_path, "channels", TRAIN, VALIDATION)
    spoil(root)
    with pytest.raises(PlumblineError, match=f"(?s){sentence}"):
        run(root, **given)


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (rgb, "some/00003.jpg is left out of the training data: its mask 0"),
        (without_mask, "some/00003.jpg is left out of the training data: has no mask"),
        (without_picture, "train_annotation/some/00003.png is left out of the training data: is"),
    ],
)
def test_a_few_bad_masks_are_left_out(
    spoil: Callable[[Path], None],
    told: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    root = job_folder(tmp_path, "channels", TRAIN, VALIDATION)
    spoil(root)
    found = run(root, max_bad="0.1")
    assert len(found.train.entries) == len(TRAIN) - 1
    assert told in capsys.readouterr().out


def test_a_manifest_whose_mask_is_missing_is_told(tmp_path: Path) -> None:
    root = job_folder(tmp_path, "manifest", TRAIN, VALIDATION)
    (root / "input/data/train/masks/00002.mask.png").unlink()
    told = r"00002.png: its mask s3://bucket/where/masks/00002.mask.png is not in .*, line 3 has it"
    with pytest.raises(DataError, match=told):
        run(root)


def test_channels_of_masks_are_a_segmenters_alone(tmp_path: Path) -> None:
    root = job_folder(tmp_path, "channels", TRAIN, None)
    assert recipes.choose(read_job(root, {}), RECIPES).name == "segmentation"
    shutil.rmtree(root / "input/data/train_annotation")
    assert recipes.choose(read_job(root, {}), RECIPES).name == "classification"
