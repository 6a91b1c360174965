"""Every form that a request and its answer can take, through HTTP, with each task behind it."""

from __future__ import annotations

import base64
import csv
import io
import json
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from flask.testing import FlaskClient
from PIL import Image, ImageOps
from pycocotools import mask as coco
from served import Pack, Refused, Serve, Served, message_of
from task_engines import Detector, Segmenter, TwoOutputs, Whole
from werkzeug.test import TestResponse

from plumbline.engines.fake import FakeEngine
from plumbline.engines.time_left import lasting
from plumbline.loading.served_model import ServedModel
from plumbline.pipeline.admission import Admission
from plumbline.settings.server_settings import Settings
from plumbline.settings.variable_values import MEBIBYTE
from plumbline.signature import Signature, TensorSpec
from plumbline.spec.model_spec import ModelSpec
from plumbline.web.app import create_app

ATTRIBUTES = "X-Amzn-SageMaker-Custom-Attributes"
LINES = "application/jsonlines"
NPY = "application/x-npy"
CSV = "text/csv"
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")
PALETTE = ((0, 0, 0), (220, 20, 60))


def post(
    client: FlaskClient,
    data: bytes,
    content_type: str = "image/png",
    accept: str = "",
    attributes: str = "",
) -> TestResponse:
    headers = {"Accept": accept, ATTRIBUTES: attributes}
    return client.post("/invocations", data=data, content_type=content_type, headers=headers)


def answer(response: TestResponse, content_type: str = "application/json") -> bytes:
    """The body of an answer of this type."""
    assert (response.status_code, response.content_type) == (200, content_type), response.text
    return response.data


def predictions(response: TestResponse) -> list[Any]:
    document = json.loads(answer(response))
    assert list(document) == ["predictions"]
    found: list[Any] = document["predictions"]
    return found


def array(response: TestResponse) -> np.ndarray:
    found: np.ndarray = np.load(io.BytesIO(answer(response, NPY)), allow_pickle=False)
    return found


def table(response: TestResponse) -> list[list[str]]:
    return list(csv.reader(io.StringIO(answer(response, CSV).decode())))


def b64(data: bytes) -> dict[str, str]:
    return {"b64": base64.b64encode(data).decode()}


def instances(*rows: Any) -> bytes:
    return json.dumps({"instances": rows}).encode()


def lines(*rows: Any) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def npy(values: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, values)
    return stream.getvalue()


def png(image: Image.Image) -> bytes:
    stream = io.BytesIO()
    image.save(stream, "PNG")
    return stream.getvalue()


def flat(level: int, size: tuple[int, int] = (9, 7)) -> bytes:
    """A picture of one gray: the fake engine puts all of it into one class."""
    return png(Image.new("RGB", size, (level,) * 3))


def half_red(size: tuple[int, int] = (64, 32)) -> Image.Image:
    """A picture whose left half is red."""
    image = Image.new("RGB", size)
    image.paste((255, 0, 0), (0, 0, size[0] // 2, size[1]))
    return image


@pytest.fixture
def detector(serve: Serve) -> FlaskClient:
    """A detector of four classes."""
    spec = ModelSpec("detection", ("bee", "wasp", "fly", "ant, red"))
    return serve(engine=Detector(), spec=spec, labels=spec.labels)


@pytest.fixture
def segmenter(serve: Serve) -> FlaskClient:
    """A segmenter of two classes."""
    spec = ModelSpec("segmentation", ("ground", "bee"))
    declared = replace(spec, segmentation=replace(spec.segmentation, palette=PALETTE))
    return serve(engine=Segmenter(), spec=declared, labels=spec.labels)


# --- pictures of every format -----------------------------------------------------------------


@pytest.mark.parametrize("form", FORMATS)
def test_each_format_is_seen_as_pillow_reads_it(
    form: str, serve: Serve, picture: Image.Image, packed: Pack
) -> None:
    data = packed(picture.convert("P") if form == "GIF" else picture, form)
    small = Image.open(io.BytesIO(data)).convert("RGB").resize((32, 32), Image.Resampling.BILINEAR)
    client = serve(engine=Whole(), spec=ModelSpec("raw"))
    found = array(post(client, data, f"image/{form.lower()}", NPY))
    np.testing.assert_array_equal(found, np.asarray(small, np.float32) / np.float32(255))


@pytest.mark.parametrize("form", ["GIF", "WEBP", "TIFF"])
def test_of_several_frames_the_first_counts(form: str, client: FlaskClient, packed: Pack) -> None:
    frames = [Image.new("RGB", (20, 20), (level,) * 3) for level in (250, 120, 10)]
    options = {"lossless": True} if form == "WEBP" else {}
    data = packed(frames[0], form, save_all=True, append_images=frames[1:], **options)
    assert Image.open(io.BytesIO(data)).n_frames == 3  # type: ignore[attr-defined]
    [found] = predictions(post(client, data, attributes="top_k=1"))
    assert found["classes"] == [{"label": "9", "class_id": 9, "score": 1.0}]


@pytest.mark.parametrize("form", ["TIFF", "WEBP"])
def test_exif_turns_pictures_of_other_formats_too(
    form: str, serve: Serve, picture: Image.Image, packed: Pack
) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    options = {"lossless": True} if form == "WEBP" else {}
    data = packed(picture, form, exif=exif, **options)
    upright = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
    client = serve(engine=Whole(), spec=ModelSpec("raw"))
    assert upright.size == picture.size[::-1]
    np.testing.assert_array_equal(
        array(post(client, data, accept=NPY)), array(post(client, png(upright), accept=NPY))
    )


# --- several pictures -------------------------------------------------------------------------


def test_bad_pictures_of_several_are_answered_in_their_place(client: FlaskClient) -> None:
    body = instances(
        b64(flat(0)), b64(b"Hello"), {"b64": "?"}, {"url": "s3://bees/1.jpg"}, 7, b64(flat(255))
    )
    first, text, base, link, number, last = predictions(
        post(client, body, "application/json", attributes="top_k=1")
    )
    assert [one["classes"][0]["class_id"] for one in (first, last)] == [0, 9]
    codes = [one["error"]["code"] for one in (text, base, link, number)]
    assert codes == ["not_an_image", "invalid_instances", "link_refused", "invalid_instances"]
    assert text["error"]["message"].startswith("The body is not a picture: it is 5 bytes")
    assert base["error"]["message"].startswith('Instance 2: its "b64" is no base64')
    assert list(text) == ["error"]
    assert sorted(text["error"]) == ["code", "message"]


@pytest.mark.parametrize(
    ("body", "content_type"),
    [(b"Hello", "image/png"), (instances(b64(b"Hello")), "application/json")],
)
def test_one_picture_that_is_bad_is_refused(
    body: bytes, content_type: str, client: FlaskClient, refused: Refused
) -> None:
    message = refused(post(client, body, content_type), 400, "not_an_image")
    assert message.startswith("The body is not a picture: it is 5 bytes")


def test_where_no_picture_is_good_the_request_is_refused(
    client: FlaskClient, refused: Refused
) -> None:
    answered = post(client, instances(b64(b"Hello"), b64(b"")), "application/json")
    assert refused(answered, 400, "not_an_image").startswith(
        "None of the 2 pictures could be answered. Instance 0: The body is not a picture"
    )


def test_each_line_has_its_answer_in_its_line(client: FlaskClient) -> None:
    body = lines(b64(flat(0)), b64(b"Hello"), [1, 2]) + b"{broken\r\n\n" + lines(b64(flat(255)))
    answered = answer(post(client, body, LINES, attributes="top_k=1"), LINES)
    assert answered.endswith(b"\n")
    first, text, tensor, broken, last = map(json.loads, answered.splitlines())
    assert [one["classes"][0]["class_id"] for one in (first, last)] == [0, 9]
    assert text["error"]["code"] == "not_an_image"
    assert tensor["error"]["message"].startswith("Line 3 is neither ")
    assert broken["error"]["message"].startswith("Line 4 is not valid JSON: ")


@pytest.mark.parametrize(
    "body", [lines(b64(b"Hello"), {"b64": 1}), b"{\n}\n", b"null", lines("text", [1]), b"[\xff]\n"]
)
def test_lines_are_answered_with_200_come_what_may(body: bytes, client: FlaskClient) -> None:
    answered = answer(post(client, body, LINES), LINES).splitlines()
    assert len(answered) == len(body.splitlines())
    assert all(list(json.loads(line)) == ["error"] for line in answered)


def test_tensors_a_line_are_answered_a_line_the_bad_ones_in_their_place(
    client: FlaskClient,
) -> None:
    zeros, ones = np.zeros((32, 32, 3)).tolist(), np.ones((32, 32, 3)).tolist()
    good = answer(post(client, lines(zeros, ones), LINES), LINES)
    assert good == b"[1.0" + b",0.0" * 9 + b"]\n[" + b"0.0," * 9 + b"1.0]\n"
    body = lines(zeros, [1, 2], {"image": ones}) + b"{broken\n" + lines({"img": ones}, None)
    first, shape, named, broken, name, null = map(
        json.loads, answer(post(client, body, LINES), LINES).splitlines()
    )
    assert (first[0], named[9]) == (1.0, 1.0)
    assert shape["error"].startswith("The instances have the shape [1, 2], ")
    assert broken["error"].startswith("Line 4 is not valid JSON: ")
    assert name["error"].endswith("with exactly the model's inputs: image.")
    assert null["error"].startswith("The instances hold values that don't fit the input image: ")


def test_lines_may_be_asked_for_in_another_form(client: FlaskClient) -> None:
    body = lines(b64(flat(0)), b64(b"Hello"))
    good, bad = predictions(post(client, body, LINES, "application/json"))
    assert (good["classes"][0]["class_id"], bad["error"]["code"]) == (0, "not_an_image")
    assert answer(post(client, lines(b64(flat(0))), LINES, "application/*"), LINES)
    answered = answer(post(client, instances(b64(flat(0))), "application/json", LINES), LINES)
    assert json.loads(answered)["classes"][0]["class_id"] == 0


def test_more_lines_than_are_taken_are_refused_before_any_is_read(
    serve: Serve, refused: Refused
) -> None:
    answered = post(serve(max_instances=2), b"{\n" * 3, LINES)
    assert refused(answered, 400, "invalid_instances") == (
        "The request has more lines than the 2 that are taken at once; send them in several "
        "requests."
    )


# --- the answer's form ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        ("text/csv;q=0.5, application/x-npy", NPY),
        ("text/html, text/csv;q=0.1", CSV),
        ("image/png;q=0, application/jsonlines;q=0.2, */*;q=0.1", LINES),
        ("IMAGE/PNG", "image/png"),
        ("application/json;q=0.1, text/*;q=0.2", CSV),
    ],
)
def test_the_form_that_is_liked_best_is_given(
    accept: str, content_type: str, client: FlaskClient
) -> None:
    assert answer(post(client, flat(9), accept=accept), content_type)


def test_scores_as_an_array_and_as_lines(client: FlaskClient) -> None:
    low, high = [1.0] + [0.0] * 9, [0.0] * 9 + [1.0]
    several = instances(b64(flat(0)), b64(flat(255)))
    one = array(post(client, flat(255), accept=NPY))
    assert (one.dtype, one.tolist()) == (np.float32, high)
    assert array(post(client, several, "application/json", NPY)).tolist() == [low, high]
    assert table(post(client, flat(0), accept=CSV)) == [list(map(str, low))]
    found = np.loadtxt(
        io.BytesIO(post(client, several, "application/json", CSV).data), delimiter=","
    )
    np.testing.assert_array_equal(found, [low, high])


def test_an_error_stands_in_its_line_of_the_table_and_refuses_the_array(
    client: FlaskClient, refused: Refused
) -> None:
    body = instances(b64(flat(0)), b64(b"Hello"))
    good, bad = table(post(client, body, "application/json", CSV))
    assert good[0] == "1.0"
    assert bad[:3] == ["1", "error", "not_an_image"]
    assert bad[3].startswith("The body is not a picture: it is 5 bytes")
    refused(post(client, body, "application/json", NPY), 400, "not_an_image")


def test_builtin_rows_are_asked_for_by_an_attribute(client: FlaskClient) -> None:
    one = json.loads(answer(post(client, flat(0), attributes="format=builtin")))
    assert one == {"prediction": [1.0] + [0.0] * 9}
    body = instances(b64(flat(0)), b64(b"Hello"))
    good, bad = predictions(post(client, body, "application/json", attributes="format=builtin"))
    assert good == one
    assert bad["error"]["code"] == "not_an_image"
    a_line = answer(post(client, lines(b64(flat(0))), LINES, attributes="format=builtin"), LINES)
    assert json.loads(a_line) == one


def test_builtin_rows_can_be_the_archives_choice(serve: Serve) -> None:
    spec = ModelSpec()
    client = serve(spec=replace(spec, response=replace(spec.response, format="builtin")))
    assert "prediction" in json.loads(answer(post(client, flat(0))))
    assert predictions(post(client, flat(0), attributes="format=typed"))


@pytest.mark.parametrize(
    "attributes",
    [
        *("top_k=0", "top_k=1.5", "top_k=-1", "top_k=1001", "score_threshold=1.1"),
        *("score_threshold=nan", "score_threshold=x", "max_detections=0", "format=xml", "mode=x"),
        *("tfs-model-version=-1", "tfs-model-version=x", "format=", "mode=MASK"),
    ],
)
def test_an_attribute_that_means_nothing_is_refused(
    attributes: str, client: FlaskClient, refused: Refused
) -> None:
    message = refused(post(client, flat(0), attributes=attributes), 400, "invalid_attribute")
    assert message.startswith(f"{attributes}: it must be ")


def test_a_drawing_shows_one_picture(client: FlaskClient, refused: Refused) -> None:
    several = instances(b64(flat(0)), b64(flat(1)))
    for body, content_type in ((several, "application/json"), (lines(b64(flat(0))), LINES)):
        assert refused(post(client, body, content_type, "image/png"), 406, "not_acceptable") == (
            "image/png shows one picture; send one alone, or ask for application/json."
        )
    one = answer(
        post(client, instances(b64(flat(0))), "application/json", "image/png"), "image/png"
    )
    assert one == answer(post(client, flat(0), accept="image/png"), "image/png")
    refused(post(client, b"Hello", accept="image/png"), 400, "not_an_image")


# --- detection --------------------------------------------------------------------------------


def test_boxes_in_every_form(detector: FlaskClient) -> None:
    data = png(half_red())
    [found] = predictions(post(detector, data))
    assert found == {
        "detections": [
            {"label": "bee", "class_id": 1, "score": 1.0, "box": [0, 0, 32, 16]},
            {"label": "fly", "class_id": 3, "score": 1.0, "box": [0, 16, 32, 32]},
        ],
        "image": {"width": 64, "height": 32},
    }
    rows = [[1, 1, 0, 0, 32, 16], [3, 1, 0, 16, 32, 32]]
    as_array = array(post(detector, data, accept=NPY))
    assert (as_array.dtype, as_array.tolist()) == (np.float32, rows)
    first, second = table(post(detector, data, accept=CSV))
    assert first == ["0", "1", "1.0", "0.0", "0.0", "32.0", "16.0", "bee"]
    assert second[-1] == "fly"
    builtin = json.loads(answer(post(detector, data, attributes="format=builtin")))
    assert builtin == {"prediction": [[1, 1, 0, 0, 0.5, 0.5], [3, 1, 0, 0.5, 0.5, 1]]}


def test_boxes_lie_in_the_picture_as_it_was_sent(detector: FlaskClient, packed: Pack) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter: what is left as stored is the top when upright
    data = packed(half_red(), "PNG", exif=exif)
    [found] = predictions(post(detector, data))
    assert found["image"] == {"width": 64, "height": 32}
    corners = np.array([one["box"] for one in found["detections"]])
    assert sorted(map(tuple, corners.tolist())) == [(0, 0, 32, 16), (0, 16, 32, 32)]


def test_options_of_boxes(detector: FlaskClient) -> None:
    data = png(Image.blend(half_red(), Image.new("RGB", (64, 32), (255, 0, 0)), 0.5))

    def labels(attributes: str) -> list[str]:
        [found] = predictions(post(detector, data, attributes=attributes))
        return [one["label"] for one in found["detections"]]

    assert labels("") == ["bee", "fly", "wasp", "ant, red"]
    assert labels("max_detections=1") == ["bee"]
    assert labels("score_threshold=0.9, trace=7") == ["bee", "fly"]
    assert labels("score_threshold=0.9,max_detections=1") == ["bee"]


def test_nothing_found_is_no_error(detector: FlaskClient) -> None:
    assert predictions(post(detector, flat(0)))[0]["detections"] == []
    assert array(post(detector, flat(0), accept=NPY)).shape == (0, 6)
    assert table(post(detector, flat(0), accept=CSV)) == []
    drawn = answer(post(detector, flat(0), accept="image/png"), "image/png")
    assert Image.open(io.BytesIO(drawn)).format == "PNG"


def test_boxes_of_several_pictures_are_no_array(detector: FlaskClient, refused: Refused) -> None:
    body = instances(b64(flat(0)), b64(png(half_red())))
    assert refused(post(detector, body, "application/json", NPY), 406, "not_acceptable") == (
        "The pictures' answers have several shapes ([0, 6], [2, 6]) and don't fit into one array; "
        "send the pictures one by one, or ask for application/json."
    )
    found = table(post(detector, body, "application/json", CSV))
    assert [row[0] for row in found] == ["1", "1"]


# --- segmentation -----------------------------------------------------------------------------


def test_a_mask_in_every_form(segmenter: FlaskClient) -> None:
    data = png(half_red((64, 48)))
    expected = np.zeros((48, 64), np.uint8)
    expected[:, :32] = 1
    [found] = predictions(post(segmenter, data))
    assert found["image"] == {"width": 64, "height": 48}
    assert [(one["label"], one["pixels"], one["area"]) for one in found["segments"]] == [
        ("ground", 1536, 0.5),
        ("bee", 1536, 0.5),
    ]
    for each in found["segments"]:
        rle = {"size": each["rle"]["size"], "counts": each["rle"]["counts"].encode()}
        np.testing.assert_array_equal(coco.decode(rle), expected == each["class_id"])
    np.testing.assert_array_equal(array(post(segmenter, data, accept=NPY)), expected)
    assert [row[1:] for row in table(post(segmenter, data, accept=CSV))] == [
        ["0", "1536", "0.5", "ground"],
        ["1", "1536", "0.5", "bee"],
    ]
    builtin = json.loads(answer(post(segmenter, data, attributes="format=builtin")))
    np.testing.assert_array_equal(builtin["prediction"], expected)


def test_a_mask_alone_is_a_png_with_the_palette(segmenter: FlaskClient) -> None:
    response = post(segmenter, png(half_red((64, 48))), accept="image/png", attributes="mode=mask")
    mask = Image.open(io.BytesIO(answer(response, "image/png")))
    assert (mask.mode, mask.size) == ("P", (64, 48))
    assert mask.getpalette()[:6] == [0, 0, 0, 220, 20, 60]  # type: ignore[index]
    assert np.unique(np.asarray(mask)[:, :32]).tolist() == [1]
    drawn = answer(post(segmenter, png(half_red((64, 48))), accept="image/png"), "image/png")
    assert Image.open(io.BytesIO(drawn)).mode == "RGB"


# --- raw --------------------------------------------------------------------------------------


def test_several_outputs_are_an_object_and_no_array(serve: Serve, refused: Refused) -> None:
    client = serve(engine=TwoOutputs(), spec=ModelSpec("raw"))
    assert predictions(post(client, flat(255))) == [{"mean": [1.0, 1.0, 1.0], "text": "café"}]
    for accept in (NPY, CSV):
        message = refused(post(client, flat(255), accept=accept), 406, "not_acceptable")
        assert message.startswith("The model has 2 outputs (mean, text), which don't fit into one")
    message = refused(post(client, flat(255), accept="image/png"), 406, "not_acceptable")
    assert message.endswith("can't be drawn; ask for application/json.")


# --- tensors ----------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["<f4", ">f8", "<f2", "u1", "?", "<i8"])
def test_an_array_is_answered_as_the_same_tensors_are(dtype: str, client: FlaskClient) -> None:
    values = np.random.default_rng(3).integers(0, 2, (2, 32, 32, 3)).astype(dtype)
    expected = FakeEngine().run({"image": values.astype(np.float32)}, lasting(1))["scores"]
    found = np.array(predictions(post(client, npy(values), NPY)), np.float32)
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(array(post(client, npy(values), NPY, NPY)), expected)
    in_columns = np.asfortranarray(values)
    np.testing.assert_array_equal(array(post(client, npy(in_columns), NPY, NPY)), expected)
    [one] = array(post(client, npy(values[0]), NPY, NPY))
    np.testing.assert_array_equal(one, expected[0])


def test_lines_of_numbers_are_answered_by_lines_of_numbers(client: FlaskClient) -> None:
    values = np.random.default_rng(4).random((3, 32 * 32 * 3), np.float32)
    stream = io.StringIO()
    np.savetxt(stream, values, delimiter=",", fmt="%.9g")
    found = answer(post(client, stream.getvalue().encode(), CSV, CSV), CSV)
    expected = FakeEngine().run({"image": values.reshape(3, 32, 32, 3)}, lasting(1))["scores"]
    np.testing.assert_array_equal(
        np.loadtxt(io.BytesIO(found), np.float32, delimiter=","), expected
    )


@dataclass(frozen=True)
class Bytes(FakeEngine):
    """Takes whole numbers."""

    @property
    def signature(self) -> Signature:
        return Signature((TensorSpec("image", (None, 2), "uint8"),), super().signature.outputs)


def test_lines_of_whole_numbers_reach_a_model_of_whole_numbers(
    serve: Serve, refused: Refused
) -> None:
    client = serve(engine=Bytes(), spec=ModelSpec("raw"))
    assert predictions(post(client, b"0,1\n", CSV))[0][0] == 0.5
    for bad in (b"0.5,1\n", b"256,1\n"):
        message = refused(post(client, bad, CSV), 400, None)
        assert message == (
            "The instances hold values that don't fit the input image: uint8 [?, 2]; send whole "
            "numbers."
        )


@pytest.mark.parametrize(
    ("body", "content_type", "code", "start"),
    [
        (b"x", NPY, "invalid_array", "The body is not an array in NumPy's format; "),
        (npy(np.ones(5))[:-1], NPY, "invalid_array", "The body is an array of float64 in 39 bytes"),
        (npy(np.array(["a"])), NPY, "invalid_array", "The body is an array of str32 in 4 bytes"),
        (npy(np.ones((32, 32))), NPY, None, "The instances have the shape [32, 32], "),
        (npy(np.full((1, 32, 32, 3), np.nan)), NPY, None, "The instances hold values outside the "),
        (npy(np.zeros((0, 32, 32, 3))), NPY, None, "The request has 0 instances, "),
        (npy(np.zeros((65, 32, 32, 3), np.uint8)), NPY, None, "The request has 65 instances, "),
        (b"a,b\n1,2\n", CSV, "invalid_csv", "The body is not CSV as it is read here: "),
        (b"1,2\n3\n", CSV, "invalid_csv", "The body is not CSV as it is read here: "),
        (
            b" \n\n",
            CSV,
            "invalid_csv",
            "There is no line with numbers; send the values of one instance a line.",
        ),
        (b"1,2\n", CSV, None, "The lines have 2 numbers, but the model's input is image: "),
        (b"1\n" * 65, CSV, "invalid_instances", "The request has more lines than the 64 "),
        (b"\n", LINES, "invalid_instances", "There is no line with an instance. "),
    ],
)
def test_a_bad_body_is_refused(
    body: bytes,
    content_type: str,
    code: str | None,
    start: str,
    client: FlaskClient,
    refused: Refused,
) -> None:
    assert refused(post(client, body, content_type), 400, code).startswith(start)


def test_tensors_can_not_be_drawn(client: FlaskClient, refused: Refused) -> None:
    answered = post(client, npy(np.zeros((32, 32, 3))), NPY, "image/png")
    assert refused(answered, 406, None).startswith(
        "Tensors are answered by tensors, not as image/png; ask for application/json, "
    )


@pytest.mark.parametrize("content_type", [LINES, NPY, CSV, "image/webp"])
def test_an_empty_body_of_any_type_is_refused(
    content_type: str, client: FlaskClient, refused: Refused
) -> None:
    refused(post(client, b"", content_type), 400, "empty_body")


# --- batch transform --------------------------------------------------------------------------


def parameters(slots: int, workers: int, max_body: int) -> dict[str, Any]:
    """What `/execution-parameters` says for a server of this size."""
    served = Served(Settings(max_body=max_body * MEBIBYTE))
    model = ServedModel(served.models)
    app = create_app(model, Admission(slots, 4), served.settings, workers)
    found: dict[str, Any] = json.loads(answer(app.test_client().get("/execution-parameters")))
    return found


@pytest.mark.parametrize(
    ("slots", "workers", "max_body", "concurrent", "payload"),
    [
        (1, 1, 25, 1, 25),
        (2, 2, 25, 4, 25),
        (2, 2, 100, 4, 25),
        (4, 2, 100, 8, 12),
        (1, 1, 100, 1, 100),
        (1, 1, 1024, 1, 100),
        (8, 12, 100, 16, 6),  # more at a time would leave no room for a photograph
        (8, 12, 2, 50, 2),
        (256, 4, 1, 100, 1),
    ],
)
def test_batch_transform_is_told_what_the_server_can_do(
    slots: int, workers: int, max_body: int, concurrent: int, payload: int
) -> None:
    assert parameters(slots, workers, max_body) == {
        "MaxConcurrentTransforms": concurrent,
        "BatchStrategy": "MULTI_RECORD",
        "MaxPayloadInMB": payload,
    }
    assert concurrent * payload <= 100


def test_a_chunk_of_a_batch_keeps_a_line_for_each_line(serve: Serve) -> None:
    client = serve(max_instances=100_000)
    rows = [b64(flat(number % 10 * 28)) if number % 7 else b64(b"bad") for number in range(300)]
    answered = answer(post(client, lines(*rows), LINES, attributes="top_k=1"), LINES)
    found = [json.loads(line) for line in answered.splitlines()]
    assert len(found) == 300
    for number, one in enumerate(found):
        assert ("error" in one) is (number % 7 == 0)
        assert number % 7 == 0 or one["classes"][0]["class_id"] == int(number % 10 * 28 / 25.5)


def test_the_same_answer_is_given_again_whatever_came_between(client: FlaskClient) -> None:
    before = {accept: post(client, flat(9), accept=accept).data for accept in (NPY, CSV, LINES)}
    for body, content_type in ((b"x", NPY), (b"x", CSV), (b"x", LINES), (b"x", "image/tiff")):
        response = post(client, body, content_type)
        if response.status_code != 200:
            message_of(response, json.loads(response.data)["error"]["code"])
    assert {accept: post(client, flat(9), accept=accept).data for accept in before} == before
