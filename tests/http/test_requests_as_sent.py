"""Requests as people send them: however a picture is written, it is answered as that picture."""

from __future__ import annotations

import base64
import gzip
import io
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pillow_heif
import pytest
from flask.testing import FlaskClient
from PIL import Image
from served import Pack, Refused, Serve
from werkzeug.test import TestResponse

from plumbline.settings.variable_values import MEBIBYTE
from plumbline.vision.images import Limits

JSON = "application/json"
LINES = "application/jsonlines"


def post(client: FlaskClient, data: bytes, content_type: str = "", **headers: str) -> TestResponse:
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    return client.post("/invocations", data=data, content_type=content_type, headers=named)


@pytest.fixture
def jpeg(picture: Image.Image, packed: Pack) -> bytes:
    return packed(picture, "JPEG")


@pytest.fixture
def right(client: FlaskClient, jpeg: bytes) -> Any:
    """What the picture is answered when it is sent as it is."""
    return json.loads(post(client, jpeg, "image/jpeg").data)


def text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def body(document: Any) -> bytes:
    return json.dumps(document).encode()


WAYS: dict[str, Callable[[bytes], Any]] = {
    "as documented": lambda data: {"instances": [{"b64": text(data)}]},
    "data: URI": lambda data: {"instances": [{"b64": f"data:image/jpeg;base64,{text(data)}"}]},
    "lines": lambda data: {"instances": [{"b64": base64.encodebytes(data).decode()}]},
    "web-safe": lambda data: {"instances": [{"b64": base64.urlsafe_b64encode(data).decode()}]},
    "unpadded": lambda data: {"instances": [{"b64": text(data).rstrip("=")}]},
    "texts": lambda data: {"instances": [text(data)]},
    "texts that are data: URIs": lambda data: {"instances": [f"data:;base64,{text(data)}"]},
    "named": lambda data: {"instances": [{"image": {"b64": text(data)}}]},
    "a named text": lambda data: {"instances": [{"image": text(data)}]},
    "alone": lambda data: {"b64": text(data)},
    "a list": lambda data: [text(data)],
    "a text": text,
    "JSON in JSON": lambda data: json.dumps({"instances": [{"b64": text(data)}]}),
}


@pytest.mark.parametrize("content_type", [JSON, "application/octet-stream", ""])
@pytest.mark.parametrize("way", WAYS)
def test_a_picture_in_json_is_that_picture(
    way: str, content_type: str, client: FlaskClient, jpeg: bytes, right: Any
) -> None:
    """Without a type, or with S3's, only what plainly is a request is taken for one."""
    if content_type == "" and way in ("a text", "JSON in JSON", "a list"):
        return
    if content_type != JSON and way in ("JSON in JSON", "a list"):
        return
    answer = post(client, body(WAYS[way](jpeg)), content_type)
    assert (answer.status_code, json.loads(answer.data)) == (200, right), answer.text


BODIES: dict[str, Callable[[bytes], bytes]] = {
    "as it is": bytes,
    "JSON's text of base64": lambda data: json.dumps(text(data)).encode(),
    "base64": lambda data: text(data).encode(),
    "base64 in lines": base64.encodebytes,
    "web-safe base64": base64.urlsafe_b64encode,
    "a data: URI": lambda data: f"data:image/jpeg;base64,{text(data)}".encode(),
    "JSON's text of a data: URI": lambda data: json.dumps(f"data:;base64,{text(data)}").encode(),
}
TYPES = (
    *("image/jpeg", "image/jpg", "image/pjpeg", "image/png", "application/x-image"),
    *("application/octet-stream", "binary/octet-stream"),
)


@pytest.mark.parametrize("content_type", TYPES)
@pytest.mark.parametrize("way", BODIES)
def test_a_picture_is_that_picture_under_every_name(
    way: str, content_type: str, client: FlaskClient, jpeg: bytes, right: Any
) -> None:
    answer = post(client, BODIES[way](jpeg), content_type)
    assert (answer.status_code, json.loads(answer.data)) == (200, right), answer.text


@pytest.mark.parametrize("content_type", ["", "application/x-www-form-urlencoded"])
@pytest.mark.parametrize("form", ["JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF"])
def test_where_no_type_is_said_the_bytes_say_it(
    form: str, content_type: str, client: FlaskClient, picture: Image.Image, packed: Pack
) -> None:
    """As `curl --data-binary @cat.jpg` sends it."""
    data = packed(picture, form)
    assert post(client, data, content_type).data == post(client, data, "image/png").data


@pytest.mark.parametrize("content_type", ["application/octet-stream", "", "application/x-image"])
def test_an_array_of_an_unsaid_type_is_an_array(content_type: str, client: FlaskClient) -> None:
    stream = io.BytesIO()
    np.save(stream, np.full((1, 32, 32, 3), 0.5, np.float32))
    named = post(client, stream.getvalue(), "application/x-npy")
    unsaid = post(client, stream.getvalue(), content_type)
    assert (unsaid.status_code, unsaid.data) == (200, named.data)


@pytest.mark.parametrize(
    "name", ["application/x-ndjson", "application/jsonl", "application/x-jsonlines; charset=utf-8"]
)
def test_json_lines_have_several_names(
    name: str, client: FlaskClient, jpeg: bytes, right: Any
) -> None:
    for row in ({"b64": text(jpeg)}, text(jpeg), {"image": text(jpeg)}):
        answer = post(client, body(row) + b"\n{bad\n", name)
        first, second = map(json.loads, answer.data.splitlines())
        assert answer.content_type == LINES
        assert first == right["predictions"][0]
        assert second["error"]["code"] == "invalid_json"
    assert post(client, jpeg, "image/jpeg", Accept=name.partition(";")[0]).content_type == LINES


@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize("lines", [False, True])
def test_base64_as_it_is_may_stand_beside_objects_of_it(
    first: int, lines: bool, client: FlaskClient, jpeg: bytes, right: Any
) -> None:
    sent = text(jpeg), f"data:image/jpeg;base64,{text(jpeg)}", text(jpeg)
    rows = [{"b64": each} if place % 2 == first else each for place, each in enumerate(sent)]
    whole = b"\n".join(map(body, rows)) if lines else body({"instances": rows})
    answer = post(client, whole, LINES if lines else JSON).data
    said = list(map(json.loads, answer.splitlines())) if lines else json.loads(answer)
    assert (said if lines else said["predictions"]) == right["predictions"] * 3


def test_a_bad_text_among_pictures_has_its_error_in_its_place(
    client: FlaskClient, jpeg: bytes, right: Any
) -> None:
    rows = [text(jpeg), "what is this?", {"image": text(jpeg)}]
    first, second, third = json.loads(post(client, body({"instances": rows}), JSON).data)[
        "predictions"
    ]
    assert first == third == right["predictions"][0]
    assert (
        second["error"]["message"]
        == "Instance 1: its \"b64\" is no base64: base64 has no '?' in it. "
        "base64.b64encode(data).decode() makes it of a file's bytes."
    )


def test_more_texts_than_are_taken_are_refused(serve: Serve, jpeg: bytes, refused: Refused) -> None:
    client = serve(max_instances=2)
    answer = post(client, body({"instances": [text(jpeg)] * 3}), JSON)
    assert "3 instances" in refused(answer, 400, "invalid_instances")


def test_texts_that_are_no_pictures_stay_tensors(client: FlaskClient, refused: Refused) -> None:
    answer = post(client, body({"instances": ["abcd", "efgh"]}), JSON)
    assert "don't fit the input" in refused(answer, 400, None)


@pytest.mark.parametrize("value", [[{"b64": "x"}], {"image": [{"b64": "x"}]}, {"b64": "x"}])
def test_pictures_in_columns_are_told_how(
    value: Any, client: FlaskClient, refused: Refused
) -> None:
    message = refused(post(client, body({"inputs": value}), JSON), 400, None)
    assert message == (
        'Pictures are sent in rows, not in columns: {"instances": [{"b64": "…"}, …]}.'
    )


def test_a_form_is_told_that_the_file_must_be_the_body(
    client: FlaskClient, jpeg: bytes, refused: Refused
) -> None:
    """As `curl -F file=@cat.jpg` sends it."""
    form = {"file": (io.BytesIO(jpeg), "cat.jpg")}
    answer = client.post("/invocations", data=form, content_type="multipart/form-data")
    assert refused(answer, 415, "unsupported_content_type") == (
        "multipart/form-data is a form with the file inside, as curl -F sends it. Send the file "
        "itself as the body, with its type: curl --data-binary @cat.jpg -H 'Content-Type: "
        "image/jpeg'."
    )


@pytest.mark.parametrize("content_type", ["image/jpeg", JSON])
def test_a_compressed_body_is_read(
    content_type: str, client: FlaskClient, jpeg: bytes, right: Any
) -> None:
    data = jpeg if content_type == "image/jpeg" else body({"instances": [{"b64": text(jpeg)}]})
    answer = post(client, gzip.compress(data), content_type, Content_Encoding="gzip")
    assert (answer.status_code, json.loads(answer.data)) == (200, right)


def test_compressed_json_without_its_header_is_told_of_it(
    client: FlaskClient, refused: Refused
) -> None:
    answer = post(client, gzip.compress(b"[1]"), JSON)
    assert refused(answer, 400, "invalid_json") == (
        "The body is gzip-compressed data; say so in the header Content-Encoding: gzip."
    )


def test_what_a_compressed_body_holds_is_limited(serve: Serve, refused: Refused) -> None:
    client = serve(max_body=MEBIBYTE)
    for size, status in ((MEBIBYTE, 400), (MEBIBYTE + 1, 413), (10**8, 413)):
        answer = post(client, gzip.compress(bytes(size)), "image/png", Content_Encoding="gzip")
        refused(answer, status, "not_an_image" if status == 400 else "body_too_large")


@pytest.mark.parametrize(
    ("encoding", "status", "code"),
    [("br", 415, "unsupported_content_type"), ("gzip", 400, "malformed_body")],
)
def test_another_encoding_is_refused_by_its_header(
    encoding: str, status: int, code: str, client: FlaskClient, jpeg: bytes, refused: Refused
) -> None:
    answer = post(client, jpeg, "image/jpeg", Content_Encoding=encoding)
    assert "Content-Encoding" in refused(answer, status, code)


@pytest.mark.parametrize("kind", ["AVIF", "HEIF"])
def test_avif_and_heif_are_decoded_where_the_setting_names_them(
    kind: str, serve: Serve, picture: Image.Image, packed: Pack, refused: Refused
) -> None:
    pillow_heif.register_heif_opener()
    named = f"image/{kind.lower()}"
    options = {"subsampling": "4:4:4"} if kind == "AVIF" else {"chroma": 444}
    data = packed(picture, kind, quality=100, **options)
    same = packed(Image.open(io.BytesIO(data)), "PNG")
    taking = serve(image_formats=(*Limits.formats, kind))
    right = post(taking, same, "image/png")
    answer = post(taking, data, named)
    assert (answer.status_code, answer.data) == (200, right.data)
    assert post(taking, data[: len(data) // 2], named).status_code == 400
    message = refused(post(serve(), data, named), 415, "image_format_refused")
    assert "PLUMBLINE_IMAGE_FORMATS" in message
