"""Detectors and segmenters as people export them: what comes back is what is in the picture."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from photographs import photograph
from PIL import Image, ImageOps

from plumbline.errors import SpecError
from plumbline.loading.loader import load_models
from plumbline.loading.terms import Terms
from plumbline.pipeline.stages import Pipeline
from plumbline.pipeline.stopwatch import Stopwatch
from plumbline.wire.requests import Request
from plumbline.wire.responses import Response

pytestmark = pytest.mark.tensorflow

Box = tuple[int, int, int, int]


def forever() -> float:
    """A deadline for slow machines."""
    return 300.0


def served(folder: Path, spec: str = "") -> Pipeline:
    """What answers for the folder's model under this plumbline.toml."""
    if spec:
        (folder / "plumbline.toml").write_text(spec)
    return load_models(folder, Terms(cores=2, engine="tensorflow"), lambda _: None).default.pipeline


def ask(
    pipeline: Pipeline,
    body: bytes,
    content_type: str = "application/x-image",
    accept: str = "",
    **options: Any,
) -> Response:
    """The answer to one request."""
    return pipeline(Request(body, content_type, accept, options), forever, Stopwatch())


def red_box_on_gray(
    size: tuple[int, int], box: Box, form: str = "PNG", orientation: int = 1
) -> bytes:
    """A picture of a red rectangle; what is stored is as large as `size` (width, height)."""
    picture = Image.new("RGB", size, (90, 90, 90))
    picture.paste((255, 0, 0), box)
    exif = picture.getexif()
    exif[0x0112] = orientation
    stream = io.BytesIO()
    picture.save(stream, form, exif=exif)
    return stream.getvalue()


def find_red(picture: Any) -> Any:
    """The box of what is red in `[1, height, width, 3]`, as rel_yxyx `[4]`."""
    import tensorflow as tf

    pixels = tf.cast(picture[0], tf.float32)
    red = tf.where((pixels[..., 0] > 180) & (pixels[..., 1] < 60))
    first = tf.cast(tf.reduce_min(red, 0), tf.float32)
    last = tf.cast(tf.reduce_max(red, 0) + 1, tf.float32)
    shape = tf.cast(tf.shape(pixels)[:2], tf.float32)
    return tf.concat([first / shape, last / shape], 0)


def save(
    folder: Path, shape: list[int | None], dtype: str, outputs: Callable[[Any], dict[str, Any]]
) -> None:
    """A SavedModel that gives these outputs for its only input."""
    import tensorflow as tf

    class Module(tf.Module):
        """Whatever is traced below."""

    module = Module()
    spec = tf.TensorSpec(shape, tf.as_dtype(dtype), "input_tensor")
    module.serve = tf.function(outputs, input_signature=[spec])
    tf.saved_model.save(module, str(folder), signatures=module.serve)


@pytest.fixture(scope="module")
def object_detection_api(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An export as TensorFlow's Object Detection API makes them: one picture of any size."""
    import tensorflow as tf

    def outputs(picture: Any) -> dict[str, Any]:
        boxes = tf.stack([find_red(picture), tf.constant([0.0, 0, 1, 1]), tf.zeros(4)])
        return {
            "detection_boxes": boxes[None],
            "detection_scores": tf.constant([[0.9, 0.3, 0.0]]),
            "detection_classes": tf.constant([[2.0, 1.0, 1.0]]),
            "num_detections": tf.constant([3.0]),
            "raw_detection_boxes": tf.zeros([1, 5, 4]),
            "detection_anchor_indices": tf.zeros([1, 3]),
        }

    folder = tmp_path_factory.mktemp("api")
    save(folder / "saved_model", [1, None, None, 3], "uint8", outputs)
    return folder


@pytest.mark.parametrize("orientation", range(1, 9))
def test_an_export_of_the_object_detection_api_needs_no_word_of_configuration(
    object_detection_api: Path, orientation: int
) -> None:
    """Boxes are pixels of the picture as it was sent, whichever way its notes turn it."""
    pipeline = served(object_detection_api)
    body = red_box_on_gray((120, 80), (30, 20, 70, 30), "PNG", orientation)

    document = json.loads(ask(pipeline, body).body)

    first, second = document["predictions"][0]["detections"]
    assert document["predictions"][0]["image"] == {"width": 120, "height": 80}
    assert (first["class_id"], first["label"]) == (2, "2")
    assert first["score"] == pytest.approx(0.9)
    assert first["box"] == pytest.approx([30, 20, 70, 30], abs=1e-3)
    assert second["box"] == pytest.approx([0, 0, 120, 80])


def test_labels_of_the_object_detection_api_begin_with_class_1(object_detection_api: Path) -> None:
    pipeline = served(object_detection_api, 'labels = ["wasp", "bee"]\n')
    body = red_box_on_gray((120, 80), (30, 20, 70, 30))
    [answer] = json.loads(ask(pipeline, body, score_threshold=0.5).body)["predictions"]
    assert [found["label"] for found in answer["detections"]] == ["bee"]
    (object_detection_api / "plumbline.toml").unlink()


def test_several_pictures_of_several_sizes_for_a_model_that_takes_one(
    object_detection_api: Path,
) -> None:
    import base64

    boxes: list[Box] = [(10, 10, 20, 30), (50, 5, 90, 40), (0, 0, 8, 8)]
    pictures = [red_box_on_gray((100 + 10 * n, 60), box) for n, box in enumerate(boxes)]
    lines = b"\n".join(
        json.dumps({"b64": base64.b64encode(data).decode()}).encode() for data in pictures
    )
    answer = ask(served(object_detection_api), lines, "application/jsonlines")
    found = [json.loads(line)["detections"][0]["box"] for line in answer.body.splitlines()]
    np.testing.assert_allclose(found, boxes, atol=1e-3)


def test_an_export_that_decodes_pictures_itself_is_drawn_on_what_it_saw(tmp_path: Path) -> None:
    """TensorFlow's decoder heeds no EXIF: boxes and drawing are those of the stored pixels."""
    import tensorflow as tf

    def outputs(files: Any) -> dict[str, Any]:
        picture = tf.io.decode_image(files[0], channels=3, expand_animations=False)
        return {
            "detection_boxes": find_red(picture[None])[None, None],
            "detection_scores": tf.constant([[0.9]]),
            "detection_classes": tf.constant([[1.0]]),
        }

    save(tmp_path / "1", [None], "string", outputs)
    pipeline = served(tmp_path)
    body = red_box_on_gray((360, 240), (30, 20, 70, 40), "PNG", orientation=6)

    [answer] = json.loads(ask(pipeline, body).body)["predictions"]
    drawn = Image.open(io.BytesIO(ask(pipeline, body, accept="image/png").body))

    assert answer["image"] == {"width": 360, "height": 240}
    assert answer["detections"][0]["box"] == pytest.approx([30, 20, 70, 40], abs=1e-3)
    assert drawn.size == (360, 240)


@pytest.mark.parametrize(
    ("fit", "box_format"),
    [
        *((fit, "xyxy") for fit in ("stretch", "letterbox", "yolo", "pad")),
        *(("letterbox", order) for order in ("rel_xyxy", "xywh", "center_xywh", "rel_yxyx")),
    ],
)
def test_the_dictionary_of_keras_detectors_in_every_order_of_boxes(
    tmp_path: Path, fit: str, box_format: str
) -> None:
    """The network sees the picture through the fit; the caller gets the picture's own pixels."""
    import keras
    import tensorflow as tf

    def outputs(picture: Any) -> dict[str, Any]:
        boxes = keras.utils.bounding_boxes.convert_format(
            find_red(picture * 255)[None, None],
            source="rel_yxyx",
            target=box_format,
            height=128,
            width=128,
        )
        return {
            "boxes": tf.concat([boxes, -tf.ones([1, 2, 4])], 1),
            "confidence": tf.constant([[0.8, -1, -1]]),
            "labels": tf.constant([[4, -1, -1]]),
            "num_detections": tf.constant([[1]]),
        }

    save(tmp_path / "1", [None, 128, 128, 3], "float32", outputs)
    pipeline = served(
        tmp_path,
        f"""task = "detection"
[preprocess]
fit = "{fit}"
resize = "tensorflow-nearest"
normalize = "unit"
[detection]
box_format = "{box_format}"
""",
    )
    body = red_box_on_gray((320, 160), (40, 60, 200, 140))
    [answer] = json.loads(ask(pipeline, body).body)["predictions"]
    [found] = answer["detections"]
    assert found["class_id"] == 4
    assert found["box"] == pytest.approx([40, 60, 200, 140], abs=3)  # a pixel of the input is 2.5


def test_rows_as_sagemakers_object_detection_gives_them(tmp_path: Path) -> None:
    """A JPEG as application/x-image, {"prediction": [[class_id, confidence, xmin, …]]} back."""
    import tensorflow as tf

    def outputs(picture: Any) -> dict[str, Any]:
        top, left, bottom, right = tf.unstack(find_red(picture))
        best = tf.stack([0.0, 0.95, left, top, right, bottom])
        others = tf.constant([[0, 0.15, 0, 0, 0.5, 0.5], [-1, -1, -1, -1, -1, -1]], tf.float32)
        return {"rows": tf.concat([best[None], others], 0)[None]}

    save(tmp_path / "1", [None, 300, 300, 3], "float32", outputs)
    pipeline = served(tmp_path, 'task = "detection"\n[response]\nformat = "builtin"\n')
    body = red_box_on_gray((600, 400), (150, 100, 300, 300), "JPEG")

    document = json.loads(ask(pipeline, body).body)

    assert list(document) == ["prediction"]
    np.testing.assert_allclose(
        document["prediction"], [[0, 0.95, 0.25, 0.25, 0.5, 0.75]], atol=0.01
    )
    everything = json.loads(ask(pipeline, body, score_threshold=0.1, max_detections=3).body)
    assert [row[1] for row in everything["prediction"]] == pytest.approx([0.95, 0.15])


def test_a_task_that_does_not_fit_is_told_what_the_outputs_look_like(tmp_path: Path) -> None:
    def outputs(picture: Any) -> dict[str, Any]:
        return {"logits": picture}

    save(tmp_path / "1", [None, 32, 32, 3], "float32", outputs)
    with pytest.raises(SpecError) as caught:
        served(tmp_path, 'task = "classification"\n')
    assert "logits: float32 [?, 32, 32, 3]" in caught.value.message
    assert caught.value.message.endswith('The outputs look like those of task = "segmentation".')


def unet() -> Any:
    """A U-Net: the first of MobileNetV2 down, transposed convolutions up, three classes' logits."""
    import tf_keras

    layers = tf_keras.layers
    base = tf_keras.applications.MobileNetV2(
        input_shape=[128, 128, 3], include_top=False, weights=None, alpha=0.35
    )
    names = ["block_1", "block_3"]
    down = tf_keras.Model(
        base.input, [base.get_layer(f"{name}_expand_relu").output for name in names]
    )
    picture = layers.Input([128, 128, 3])
    *kept, found = down(picture)
    for filters, skip in zip((8,), reversed(kept), strict=True):
        found = layers.Conv2DTranspose(filters, 3, 2, "same", use_bias=False)(found)
        found = layers.ReLU()(layers.BatchNormalization()(found))
        found = layers.Concatenate()([found, skip])
    return tf_keras.Model(picture, layers.Conv2DTranspose(3, 3, 2, "same")(found))


def jpeg(picture: Image.Image) -> bytes:
    """The picture in a file."""
    stream = io.BytesIO()
    picture.save(stream, "JPEG", quality=90)
    return stream.getvalue()


@pytest.fixture(scope="module")
def segmenter(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    """The model as its author saved it, below a numeric folder, and the model itself."""
    import tf_keras

    tf_keras.utils.set_random_seed(1)
    model = unet()
    folder = tmp_path_factory.mktemp("unet")
    model.save(folder / "1580000000", save_format="tf")
    return folder, model


UNET_SPEC = """task = "segmentation"
labels = ["pet", "background", "outline"]

[preprocess]
exif = false
resize = "pillow-bicubic"
normalize = {divisor = 256}

[segmentation]
activation = "softmax"
"""


def author(model: Any, body: bytes) -> np.ndarray:
    """The author's logits `[128, 128, 3]` for a picture file."""
    picture = Image.open(io.BytesIO(body)).convert("RGB").resize((128, 128))
    return np.asarray(model(np.asarray(picture, np.float32)[np.newaxis] / 256)[0])


def test_tensors_get_the_logits_as_tf_serving_gives_them(segmenter: tuple[Path, Any]) -> None:
    folder, model = segmenter
    body = jpeg(photograph("china.jpg"))
    inputs = np.asarray(Image.open(io.BytesIO(body)).resize((128, 128)), np.float32)[None] / 256
    request = json.dumps({"instances": inputs.tolist()}).encode()

    answer = json.loads(ask(served(folder, UNET_SPEC), request, "application/json").body)

    np.testing.assert_allclose(answer["predictions"], author(model, body)[None], atol=1e-5)


def test_a_photograph_gets_its_mask_at_its_own_size(segmenter: tuple[Path, Any]) -> None:
    """As TensorFlow resizes the probabilities of the author's logits."""
    import tensorflow as tf
    from pycocotools import mask as coco

    folder, model = segmenter
    pipeline = served(folder, UNET_SPEC)
    body = jpeg(photograph("china.jpg"))
    probabilities = tf.nn.softmax(author(model, body))
    resized = np.sort(tf.image.resize(probabilities, (427, 640)).numpy(), axis=-1)
    expected = np.argmax(tf.image.resize(probabilities, (427, 640)), -1)
    clear = resized[..., -1] - resized[..., -2] > 1e-6

    mask = np.load(io.BytesIO(ask(pipeline, body, accept="application/x-npy").body))
    png = Image.open(io.BytesIO(ask(pipeline, body, accept="image/png", mode="mask").body))
    [answer] = json.loads(ask(pipeline, body).body)["predictions"]

    assert mask.shape == (427, 640)
    np.testing.assert_array_equal(mask[clear], expected[clear])
    assert clear.mean() > 0.95
    assert png.mode == "P"
    np.testing.assert_array_equal(np.asarray(png), mask)
    assert answer["image"] == {"width": 640, "height": 427}
    for segment in answer["segments"]:
        decoded = coco.decode(segment["rle"]).astype(bool)
        np.testing.assert_array_equal(decoded, mask == segment["class_id"])
        assert segment["pixels"] == decoded.sum()
        assert segment["area"] == pytest.approx(decoded.mean())


def test_a_turned_photograph_gets_the_mask_of_its_stored_pixels(
    segmenter: tuple[Path, Any],
) -> None:
    """With exif, the mask is the upright picture's, turned back to the picture as it was sent."""
    folder, _ = segmenter
    pipeline = served(folder, UNET_SPEC.replace("exif = false", "exif = true"))
    stream = io.BytesIO()
    stored = photograph("flower.jpg")
    exif = stored.getexif()
    exif[0x0112] = 6
    stored.save(stream, "PNG", exif=exif)
    upright = io.BytesIO()
    ImageOps.exif_transpose(Image.open(io.BytesIO(stream.getvalue()))).save(upright, "PNG")

    turned = np.load(io.BytesIO(ask(pipeline, stream.getvalue(), accept="application/x-npy").body))
    plain = np.load(io.BytesIO(ask(pipeline, upright.getvalue(), accept="application/x-npy").body))

    assert turned.shape == (427, 640)
    np.testing.assert_array_equal(np.rot90(turned, -1), plain)
