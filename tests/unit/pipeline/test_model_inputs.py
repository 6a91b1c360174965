"""Which pictures a model takes, and how they are put together for it."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from plumbline.errors import NotAnImage, SpecError
from plumbline.pipeline.model_inputs import (
    Prepared,
    batches,
    chunk_size,
    image_size,
    prepared,
    stacked,
)
from plumbline.pipeline.stopwatch import Stopwatch
from plumbline.signature import TensorSpec
from plumbline.spec.model_spec import ModelSpec, Preprocess
from plumbline.vision.geometry import Geometry
from plumbline.vision.images import Limits


def target(*shape: int | None, dtype: str = "float32") -> TensorSpec:
    return TensorSpec("image", shape, dtype)


@pytest.mark.parametrize(
    ("declared", "own", "size"),
    [
        (None, (None, 32, 24, 3), (32, 24)),
        ((32, 24), (None, 32, 24, 3), (32, 24)),
        ((50, 60), (None, None, None, 3), (50, 60)),
        ((50, 60), (None, 50, None, None), (50, 60)),
    ],
)
def test_the_size_is_declared_or_the_models_own(
    declared: tuple[int, int] | None, own: tuple[int | None, ...], size: tuple[int, int]
) -> None:
    assert image_size(ModelSpec(preprocess=Preprocess(size=declared)), target(*own)) == size


@pytest.mark.parametrize(
    ("preprocess", "own", "sentence"),
    [
        (
            Preprocess(),
            (None, None, None, 3),
            (
                "The model takes pictures of any size (image: float32 [?, ?, ?, 3]); "
                "say in plumbline.toml which it was trained on: [preprocess] size. "
                "Or keep_size = true, if it takes them as they are, or multiple_of = 32, say, if "
                "their sides must be multiples of that."
            ),
        ),
        (
            Preprocess(size=(64, 64)),
            (None, 32, 32, 3),
            (
                "plumbline.toml: preprocess.size = [64, 64], but the model's input is "
                "image: float32 [?, 32, 32, 3]. Leave size out, or say what the model was exported "
                "for."
            ),
        ),
        (
            Preprocess(color="gray"),
            (None, 32, 32, 3),
            (
                "The model's input is image: float32 [?, 32, 32, 3], but pictures are "
                "[?, height, width, 1] with [preprocess] color = 'gray'. For pictures, "
                'plumbline.toml says [preprocess] color = "rgb"; task = "raw" in plumbline.toml, '
                "and no [preprocess], serves the model for tensors."
            ),
        ),
        (
            Preprocess(),
            (None, 784),
            (
                "The model's input is image: float32 [?, 784], but pictures are "
                "[?, height, width, 3] with [preprocess] color = 'rgb'. For pictures, "
                'plumbline.toml says [preprocess] color = "gray" and size = [28, 28]; '
                'task = "raw" in plumbline.toml, and no [preprocess], serves the model for tensors.'
            ),
        ),
        (
            Preprocess(),
            (None, 64, 64, 6),
            (
                "The model's input is image: float32 [?, 64, 64, 6], but pictures are "
                "[?, height, width, 3] with [preprocess] color = 'rgb'. A picture does not fill "
                'it: task = "raw" in plumbline.toml, and no [preprocess], serves the model for '
                "tensors."
            ),
        ),
    ],
)
def test_a_size_that_can_not_be_is_an_error(
    preprocess: Preprocess, own: tuple[int | None, ...], sentence: str
) -> None:
    with pytest.raises(SpecError) as caught:
        image_size(ModelSpec(preprocess=preprocess), target(*own))
    assert caught.value.message == sentence


def jpeg(width: int, height: int) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (width, height), (200, 10, 10)).save(stream, "JPEG")
    return stream.getvalue()


def made(data: bytes, own: TensorSpec, **preprocess: object) -> Prepared:
    spec = ModelSpec(preprocess=Preprocess(**preprocess))  # type: ignore[arg-type]
    return prepared(data, spec, own, Limits(), Stopwatch())


@pytest.mark.parametrize(
    ("dtype", "declared"),
    [("uint8", {}), ("uint8", {"keep_size": True}), ("float32", {"keep_size": True})],
)
def test_a_model_that_resizes_pictures_itself_gets_them_at_their_own_size(
    dtype: str, declared: dict[str, bool]
) -> None:
    found = made(jpeg(30, 20), target(None, None, None, 3, dtype=dtype), **declared)
    assert found.tensor.shape == (20, 30, 3)
    assert found.tensor.dtype == dtype
    assert found.geometry == Geometry.whole((20, 30))


@pytest.mark.parametrize(
    ("declared", "own", "sentence"),
    [
        (
            Preprocess(keep_size=True),
            (None, 32, 32, 3),
            (
                "plumbline.toml: preprocess.keep_size = true, but pictures are resized, as the "
                "model says; its input is image: float32 [?, 32, 32, 3]. Leave out the former."
            ),
        ),
        (
            Preprocess(keep_size=True, size=(8, 8)),
            (None, None, None, 3),
            (
                "plumbline.toml: preprocess.keep_size = true, but pictures are resized, as "
                "preprocess.size says; its input is image: float32 [?, ?, ?, 3]. Leave out one of "
                "the two."
            ),
        ),
    ],
)
def test_keeping_the_size_and_resizing_exclude_each_other(
    declared: Preprocess, own: tuple[int | None, ...], sentence: str
) -> None:
    with pytest.raises(SpecError) as caught:
        image_size(ModelSpec(preprocess=declared), target(*own))
    assert caught.value.message == sentence


def test_the_files_bytes_go_to_a_model_that_decodes_them() -> None:
    data = jpeg(30, 20)
    found = made(data, TensorSpec("image_bytes", (None,), "string"))
    assert found.tensor[()] == data
    assert found.geometry == Geometry.whole((20, 30))


def test_what_is_no_picture_does_not_reach_a_model_that_decodes_them() -> None:
    with pytest.raises(NotAnImage):
        made(b"nothing", TensorSpec("image_bytes", (None,), "string"))


def test_where_the_task_is_raw_any_bytes_do() -> None:
    found = prepared(
        b"tf.Example",
        ModelSpec(task="raw"),
        TensorSpec("x", (None,), "string"),
        Limits(),
        Stopwatch(),
    )
    assert found.tensor[()] == b"tf.Example"


def one(*shape: int) -> Prepared:
    return Prepared(np.full(shape, sum(shape), np.float32), Geometry.whole((1, 1)))


def test_neighbours_of_one_shape_make_a_batch() -> None:
    ready = [one(2, 3), one(2, 3), one(3, 3), one(2, 3)]
    assert list(batches(ready, target(None, None, 3))) == [ready[:2], ready[2:3], ready[3:]]


def test_a_model_with_a_batch_of_fixed_length_gets_just_that() -> None:
    ready = [one(2, 3) for _ in range(5)]
    fixed = target(2, 2, 3)
    found = list(batches(ready, fixed))
    assert [len(batch) for batch in found] == [2, 2, 1]
    assert [stacked(batch, fixed).shape for batch in found] == [(2, 2, 3)] * 3


def test_no_more_pictures_are_decoded_ahead_than_memory_is_meant_for_them() -> None:
    assert chunk_size(ModelSpec(), target(None, 32, 32, 3)) == 16
    assert chunk_size(ModelSpec(), target(None, 1024, 1024, 3)) == 2
    assert chunk_size(ModelSpec(), target(None, 4096, 4096, 3)) == 1
    assert chunk_size(ModelSpec(), target(None, None, None, 3, dtype="uint8")) == 1
    assert chunk_size(ModelSpec(), TensorSpec("files", (None,), "string")) == 16


def test_pictures_are_padded_to_sides_that_are_multiples() -> None:
    found = made(jpeg(30, 20), target(None, None, None, 3), multiple_of=32)
    assert found.tensor.shape == (32, 32, 3)
    assert not found.tensor[20:].any()
    assert not found.tensor[:, 30:].any()
    np.testing.assert_array_equal(
        found.tensor[:20, :30], np.asarray(Image.open(io.BytesIO(jpeg(30, 20))))
    )
    assert found.geometry.to_source([0, 0, 30, 20]).tolist() == [0, 0, 30, 20]
    assert made(jpeg(64, 32), target(None, None, None, 3), multiple_of=32).tensor.shape[:2] == (
        32,
        64,
    )


def test_a_model_of_one_size_has_no_multiples() -> None:
    with pytest.raises(SpecError, match=r"preprocess.multiple_of = 32, but pictures are resized"):
        image_size(ModelSpec(preprocess=Preprocess(multiple_of=32)), target(None, 32, 32, 3))
