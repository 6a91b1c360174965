"""A zoo of bad requests: each gets the right 4xx and a message that says what to do."""

from __future__ import annotations

import base64
import io
import json
import os
import random
import resource
import struct
import subprocess
import sys
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flask.testing import FlaskClient
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps
from served import Refused, Serve, Served, message_of
from werkzeug.test import TestResponse

from plumbline.engines.fake import FakeEngine
from plumbline.engines.time_left import TimeLeft
from plumbline.machine.sizing import MEMORY_PER_PICTURE
from plumbline.settings.variable_values import MEBIBYTE
from plumbline.spec.model_spec import Preprocess
from plumbline.vision.arrays import Tensors
from plumbline.web.flask_door import CHUNK
from plumbline.wire.request_options import OPTIONS
from plumbline.wire.requests import READERS

FORM = (
    'Send {"instances": [...]}, each instance a tensor, {"b64": "<a picture in base64>"} '
    'or {"url": "<a picture\'s link>"}.'
)
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")
SEND = "Send the bytes of a JPEG, PNG, WEBP, GIF, BMP or TIFF file as they are."
TYPES = ", ".join(READERS)
INPUT = "image: float32 [?, 32, 32, 3]"
ORIENTATION = 0x0112
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2] / "container")}
DECODES = """
import re, sys
from plumbline.vision.images import Limits, read_picture

def most_held():
    return 1024 * int(re.search(r"VmHWM:\\s+(\\d+) kB", open("/proc/self/status").read())[1])

file = sys.stdin.buffer.read()
before = most_held()
read_picture(file, color="rgb", exif=True, limits=Limits())
print(most_held() - before)
"""
"""What a decoded picture adds to a process of its own, in bytes."""

GROWTH = 40 * MEBIBYTE
"""What refusing a picture may add to the process: the picture itself would be hundreds of MiB."""


def post(client: FlaskClient, data: bytes, content_type: str = "image/png") -> TestResponse:
    return client.post("/invocations", data=data, content_type=content_type)


def save(image: Image.Image, form: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    image.save(stream, form, **options)
    return stream.getvalue()


def noise(mode: str = "RGB", size: tuple[int, int] = (48, 40)) -> Image.Image:
    channels = len(Image.new(mode, (1, 1)).getbands())
    values = np.random.default_rng(11).integers(0, 256, (size[1], size[0], channels), np.uint8)
    return Image.frombytes(mode, size, values.tobytes())


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(width: int, height: int, depth: int, color: int, compressed: bytes) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, 0)
    parts = [chunk(b"IHDR", header), chunk(b"IDAT", compressed), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


@cache
def bomb() -> bytes:
    """A valid PNG of 30,000×30,000 pixels, 1 bit each, in about 100 KB."""
    packer, row = zlib.compressobj(9), bytes(1 + 30_000 // 8)
    block = row * 100
    packed = [packer.compress(block) for _ in range(300)]
    return png(30_000, 30_000, 1, 0, b"".join([*packed, packer.flush()]))


def peak_memory() -> int:
    """The most that this process has held so far, in bytes."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


# --- not a picture ----------------------------------------------------------------------------

NOT_PICTURES: dict[str, tuple[bytes, str]] = {
    "text": (b"Hello there", "11 bytes that begin with 48 65 6c 6c 6f 20 74 68"),
    "random bytes": (random.Random(1).randbytes(500), "500 bytes that begin with "),
    "one byte": (b"\x00", "1 bytes that begin with 00"),
    "pdf": (b"%PDF-1.7\n%\xe2\xe3", "a PDF document"),
    "html": (b"<!doctype html><title>404</title>", "HTML or XML"),
    "json": (b'{"instances": []}', "JSON"),
    "zip": (b"PK\x03\x04" + bytes(30), "a ZIP archive"),
    "numpy": (b"\x93NUMPY\x01\x00", "a NumPy array"),
    "broken base64": (base64.b64encode(save(noise(), "PNG"))[:-3], "a PNG picture in base64"),
    "data url of another": (b"data:text/plain;base64,aGVsbG8=", "a data URL"),
    "git lfs": (
        b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n",
        "a Git LFS pointer, not the file itself",
    ),
}


@pytest.mark.parametrize(("data", "words"), NOT_PICTURES.values(), ids=NOT_PICTURES)
def test_what_is_no_picture_is_named(
    data: bytes, words: str, client: FlaskClient, refused: Refused
) -> None:
    message = refused(post(client, data), 400, "not_an_image")
    assert message.startswith(f"The body is not a picture: it is {words}")
    assert message.endswith(f". {SEND}")


@pytest.mark.parametrize("form", FORMATS)
def test_a_format_that_the_settings_leave_out_is_refused(
    form: str, serve: Serve, refused: Refused
) -> None:
    others = tuple(name for name in FORMATS if name != form)
    answer = post(serve(image_formats=others), save(noise(), form), "image/jpeg")
    assert refused(answer, 415, "image_format_refused") == (
        f"The body is a {form} picture; this server takes {', '.join(others[:-1])} or "
        f"{others[-1]}. Convert it first."
    )
    assert post(serve(image_formats=(form,)), save(noise(), form)).status_code == 200


def test_a_format_that_is_not_known_here_is_named(client: FlaskClient, refused: Refused) -> None:
    heif = b"\x00\x00\x00\x18ftypheic" + bytes(40)
    assert refused(post(client, heif), 415, "image_format_refused") == (
        "The body is a HEIF picture; this server takes JPEG, PNG, WEBP, GIF, BMP or TIFF. "
        "Convert it first. Or let whoever runs the server name its format in "
        "PLUMBLINE_IMAGE_FORMATS, too."
    )


# --- damaged ----------------------------------------------------------------------------------


@pytest.mark.parametrize("kept", [0.02, 0.1, 0.5, 0.9])
@pytest.mark.parametrize("form", FORMATS)
def test_a_picture_that_breaks_off_is_refused(
    form: str, kept: float, client: FlaskClient, refused: Refused
) -> None:
    data = save(noise(size=(160, 120)), form)
    message = refused(post(client, data[: int(len(data) * kept)]), 400, "image_damaged")
    assert message in (
        (
            f"The {form} picture of 160×120 pixels is damaged or breaks off; "
            "send the whole file again."
        ),
        f"The body is a {form} picture whose header is damaged; send the whole file.",
    )


@pytest.mark.parametrize("form", ["JPEG", "PNG", "GIF", "TIFF"])
def test_a_signature_alone_is_refused(form: str, client: FlaskClient, refused: Refused) -> None:
    message = refused(post(client, save(noise(), form)[:8]), 400, "image_damaged")
    assert message == (
        f"The body is a {form} picture whose header is damaged; send the whole file."
    )


def test_pixels_that_are_corrupt_are_refused(client: FlaskClient, refused: Refused) -> None:
    data = bytearray(save(noise(), "PNG"))
    data[len(data) // 2 : len(data) // 2 + 40] = bytes(40)
    assert refused(post(client, bytes(data)), 400, "image_damaged") == (
        "The PNG picture of 48×40 pixels is damaged or breaks off; send the whole file again."
    )


def mutated(data: bytes, chance: random.Random) -> bytes:
    """The bytes with a few of them changed, cut out, doubled or overwritten."""
    mutant = bytearray(data)
    for _ in range(chance.randint(1, 8)):
        at, length = chance.randrange(len(mutant)), chance.randint(1, 30)
        piece = {
            "flip": bytes([mutant[at] ^ 1 << chance.randrange(8)]) + mutant[at + 1 : at + length],
            "cut": b"",
            "double": 2 * mutant[at : at + length],
            "noise": chance.randbytes(length),
        }
        mutant[at : at + length] = piece[chance.choice(sorted(piece))]
    return bytes(mutant)


@pytest.mark.parametrize(
    ("form", "mode", "options"),
    [
        ("JPEG", "RGB", {}),
        ("JPEG", "CMYK", {"progressive": True}),
        ("PNG", "RGB", {}),
        ("PNG", "LA", {"optimize": True}),
        ("WEBP", "RGB", {}),
        ("WEBP", "RGBA", {"lossless": True}),
        ("GIF", "P", {}),
        ("BMP", "RGB", {}),
        ("TIFF", "RGB", {"compression": "tiff_lzw"}),
        ("TIFF", "L", {"compression": "packbits"}),
    ],
)
def test_no_mutant_of_a_picture_is_the_servers_fault(
    form: str, mode: str, options: dict[str, Any], serve: Serve
) -> None:
    client, chance = serve(max_side=4096), random.Random(form + mode)
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    data = save(noise(mode), form, exif=exif, **options)
    statuses = set()
    for _ in range(settings.default.max_examples):
        answer = post(client, mutated(data, chance))
        statuses.add(answer.status_code)
        if answer.status_code != 200:
            assert 400 <= answer.status_code < 500, answer.text
            message_of(answer, json.loads(answer.data)["error"]["code"])
    assert 400 in statuses
    assert post(client, data).status_code == 200


# --- too large --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        (
            {},
            "The picture is 30000×30000 pixels; the longest side may be 16384. Send a smaller one.",
        ),
        (
            {"max_side": 40_000},
            (
                "The picture is 30000×30000 = 900,000,000 pixels; at most 50,331,648 are decoded. "
                "Send a smaller one."
            ),
        ),
    ],
)
def test_a_decompression_bomb_is_refused_by_its_header_and_costs_no_memory(
    limits: dict[str, int], message: str, serve: Serve, refused: Refused
) -> None:
    client = serve(**limits)
    assert 90_000 < len(bomb()) < 130_000
    before = peak_memory()
    for _ in range(3):
        assert refused(post(client, bomb()), 413, "image_too_large") == message
    assert peak_memory() - before < GROWTH


def test_a_header_that_lies_about_its_size_costs_no_memory(
    client: FlaskClient, refused: Refused
) -> None:
    data = png(2**31 - 1, 2**31 - 1, 8, 2, zlib.compress(b""))
    before = peak_memory()
    refused(post(client, data), 413, "image_too_large")
    assert peak_memory() - before < GROWTH


def test_a_webp_may_have_half_the_pixels_because_it_takes_twice_the_memory(
    serve: Serve, refused: Refused
) -> None:
    client = serve(max_pixels=800)
    assert post(client, save(noise(size=(40, 20)), "PNG")).status_code == 200
    assert post(client, save(noise(size=(20, 20)), "WEBP")).status_code == 200
    message = refused(post(client, save(noise(size=(40, 20)), "WEBP")), 413, "image_too_large")
    assert message == (
        "The picture is 40×20 = 800 pixels; at most 400 are decoded. Send a smaller one."
    )


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads Linux's /proc")
@pytest.mark.parametrize(
    ("form", "options"),
    [
        ("WEBP", {"method": 0}),
        ("GIF", {}),
        ("TIFF", {"compression": "tiff_lzw"}),
        ("TIFF", {"compression": "jpeg"}),
        ("PNG", {"compress_level": 1}),
    ],
)
def test_a_small_file_of_the_most_pixels_takes_no_more_than_was_planned(
    form: str, options: dict[str, Any], client: FlaskClient
) -> None:
    side = 5000 if form == "WEBP" else 7000
    file = save(Image.new("P" if form == "GIF" else "RGB", (side, side)), form, **options)
    assert len(file) < 4 * MEBIBYTE
    measured = subprocess.run(
        [sys.executable, "-c", DECODES],
        input=file,
        env=ENVIRONMENT,
        capture_output=True,
        check=True,
    )
    assert int(measured.stdout) < MEMORY_PER_PICTURE + 8 * MEBIBYTE


def scanned(times: int) -> bytes:
    """A progressive JPEG whose last scan comes so many times; each takes as long as a picture."""
    data = save(Image.new("L", (2000, 2000), 77), "JPEG", progressive=True)
    last = data.rindex(b"\xff\xda")
    return data[:last] + data[last:-2] * times + data[-2:]


def test_a_jpeg_of_scans_without_end_costs_no_time(client: FlaskClient, refused: Refused) -> None:
    started = time.perf_counter()
    message = refused(post(client, scanned(100_000)), 400, "image_damaged")
    assert message == (
        "The body is a JPEG picture of more than 100 scans, which no program writes; save it again."
    )
    assert time.perf_counter() - started < 10, "it was decoded"


@pytest.mark.parametrize("filling", [b"", b"\xff" * 9, b"\xff\xfe\x00\x04\xff\xd9", b"\xff\x01"])
def test_scans_are_counted_whatever_stands_before_them(
    filling: bytes, client: FlaskClient, refused: Refused
) -> None:
    data = scanned(200)
    refused(post(client, data[:2] + filling + data[2:]), 400, "image_damaged")


def test_what_looks_like_scans_and_is_none_is_no_reason_to_refuse(client: FlaskClient) -> None:
    """Telephones write a preview before, and a film behind the picture."""
    data = save(noise(), "JPEG")
    comment = b"\xff\xda" * 200
    packed = b"\xff\xfe" + struct.pack(">H", 2 + len(comment)) + comment
    answer = post(client, data[:2] + packed + data[2:] + comment)
    assert (answer.status_code, answer.data) == (200, post(client, data).data)


def test_text_that_unpacks_without_end_costs_no_memory(
    client: FlaskClient, refused: Refused
) -> None:
    text = b"Comment\x00\x00" + zlib.compress(bytes(100 * MEBIBYTE), 1)
    data = save(noise(), "PNG")
    before = peak_memory()
    refused(post(client, data[:33] + chunk(b"zTXt", text) + data[33:]), 400, "image_damaged")
    assert peak_memory() - before < GROWTH


class Unreadable(io.RawIOBase):
    """A body that nobody may touch."""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        pytest.fail("the body was read")


class Endless(io.RawIOBase):
    """A body that never ends, and counts what was taken of it."""

    taken = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self.taken += len(buffer)
        assert self.taken < 8 * MEBIBYTE, "nobody stopped reading"
        buffer[:] = bytes(len(buffer))
        return len(buffer)


TOO_LARGE = (
    "The body is larger than the 1 MiB that are taken. Send a smaller picture, "
    "or raise PLUMBLINE_MAX_BODY_MB."
)


def test_a_body_that_says_it_is_too_large_is_refused_before_it_is_read(
    serve: Serve, refused: Refused
) -> None:
    answer = serve(max_body=MEBIBYTE).post(
        "/invocations",
        content_type="image/png",
        environ_overrides={"wsgi.input": Unreadable(), "CONTENT_LENGTH": str(MEBIBYTE + 1)},
    )
    assert refused(answer, 413, "body_too_large") == TOO_LARGE


def test_a_body_that_does_not_say_so_is_refused_once_it_is_too_large(
    serve: Serve, refused: Refused
) -> None:
    body = Endless()
    answer = serve(max_body=MEBIBYTE).post(
        "/invocations",
        content_type="image/png",
        headers={"Transfer-Encoding": "chunked"},
        environ_overrides={"wsgi.input": body, "wsgi.input_terminated": True},
    )
    assert refused(answer, 413, "body_too_large") == TOO_LARGE
    assert MEBIBYTE < body.taken <= MEBIBYTE + CHUNK


def test_a_body_at_the_limit_is_read(serve: Serve, refused: Refused) -> None:
    answer = post(serve(max_body=MEBIBYTE), bytes(MEBIBYTE))
    refused(answer, 400, "not_an_image")


def test_a_body_in_chunks_is_answered_like_any_other(client: FlaskClient) -> None:
    data = save(noise(), "PNG")
    answer = client.post(
        "/invocations",
        content_type="image/png",
        headers={"Transfer-Encoding": "chunked"},
        environ_overrides={"wsgi.input": io.BytesIO(data), "wsgi.input_terminated": True},
    )
    assert (answer.status_code, answer.data) == (200, post(client, data).data)


def test_a_body_that_does_not_arrive_is_408(client: FlaskClient, refused: Refused) -> None:
    class Stalled(io.RawIOBase):
        def readable(self) -> bool:
            return True

        def readinto(self, buffer: Any) -> int:
            raise TimeoutError

    answer = client.post(
        "/invocations",
        content_type="image/png",
        environ_overrides={"wsgi.input": Stalled(), "CONTENT_LENGTH": "100"},
    )
    assert refused(answer, 408, "request_timeout") == (
        "The body did not arrive whole and in time; send it again."
    )


# --- unusual, and right -----------------------------------------------------------------------

PALETTE = noise().convert("P", palette=Image.Palette.ADAPTIVE)
UNUSUAL: dict[str, bytes] = {
    "1x1": save(noise(size=(1, 1)), "PNG"),
    "1x1 jpeg": save(noise(size=(1, 1)), "JPEG"),
    "a line": save(noise(size=(2000, 1)), "PNG"),
    "cmyk": save(noise("CMYK"), "JPEG"),
    "gray": save(noise("L"), "PNG"),
    "gray jpeg": save(noise("L"), "JPEG"),
    "gray with alpha": save(noise("LA"), "PNG"),
    "alpha": save(noise("RGBA"), "PNG"),
    "1 bit": save(noise("L").convert("1"), "PNG"),
    "palette": save(PALETTE, "PNG"),
    "palette with a transparent colour": save(PALETTE, "PNG", transparency=3),
    "palette with alpha": save(PALETTE, "PNG", transparency=bytes(range(256))),
    "progressive": save(noise(), "JPEG", progressive=True),
    "with a profile": save(noise(), "PNG", icc_profile=b"not a profile"),
    "16 bits a channel": png(
        8, 8, 16, 2, zlib.compress(b"".join(b"\x00" + bytes(range(48)) for _ in range(8)))
    ),
}


@pytest.mark.parametrize("data", UNUSUAL.values(), ids=UNUSUAL)
@pytest.mark.filterwarnings("ignore:Palette images with Transparency:UserWarning")
def test_an_unusual_picture_is_answered_as_pillow_converts_it(
    data: bytes, client: FlaskClient
) -> None:
    converted = Image.open(io.BytesIO(data)).convert("RGB")
    answer = post(client, data, "application/x-image")
    assert answer.status_code == 200
    assert answer.data == post(client, save(converted, "PNG")).data


@dataclass(frozen=True)
class Corner(FakeEngine):
    """Scores that are the first pixels of the first row: they see which way up a picture is."""

    def run(self, inputs: Tensors, left: TimeLeft) -> Tensors:
        return {"scores": inputs["image"][:, 0, : self.classes, 0]}


def turned(orientation: int, form: str = "PNG") -> bytes:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    return save(noise(), form, exif=exif)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("form", ["JPEG", "PNG"])
def test_a_picture_that_was_turned_is_answered_like_the_upright_one(
    form: str, orientation: int, serve: Serve
) -> None:
    client, data = serve(engine=Corner()), turned(orientation, form)
    upright = save(ImageOps.exif_transpose(Image.open(io.BytesIO(data))), "PNG")
    stored = save(Image.open(io.BytesIO(data)).copy(), "PNG", exif=b"")
    assert post(client, data).data == post(client, upright).data
    assert (post(client, data).data == post(client, stored).data) is (orientation == 1)


def test_with_exif_off_the_stored_pixels_count(serve: Serve) -> None:
    client = serve(engine=Corner(), preprocess=Preprocess(exif=False, normalize="unit"))
    assert post(client, turned(6)).data == post(client, turned(1)).data


def test_gray_of_16_bits_is_refused_because_it_would_turn_white(
    client: FlaskClient, refused: Refused
) -> None:
    data = save(Image.new("I;16", (4, 4), 500), "PNG")
    assert refused(post(client, data), 415, "image_format_refused") == (
        "The picture has more than 8 bits a channel (Pillow mode I;16), "
        "which would be clipped to white. Convert it to 8 bits a channel first."
    )


# --- bodies and content types -----------------------------------------------------------------


@pytest.mark.parametrize("content_type", ["image/png", "application/x-image", "application/json"])
def test_an_empty_body_is_refused(content_type: str, client: FlaskClient, refused: Refused) -> None:
    message = refused(post(client, b"", content_type), 400, "empty_body")
    assert message == "The body is empty; send a picture, or JSON with instances."


@pytest.mark.parametrize(
    "content_type",
    ["text/html", "multipart/mixed; boundary=x", "application/x-www-form-urlencode", "jpeg"],
)
def test_another_content_type_is_told_which_are_taken(
    content_type: str, client: FlaskClient, refused: Refused
) -> None:
    message = refused(
        post(client, save(noise(), "PNG"), content_type), 415, "unsupported_content_type"
    )
    named = content_type.partition(";")[0]
    assert message == f"Content-Type '{named}' is not read here; send one of {TYPES}."


def test_a_missing_content_type_that_the_bytes_do_not_tell_is_refused(
    client: FlaskClient, refused: Refused
) -> None:
    answer = client.post("/invocations", data=b"what it is nobody knows")
    assert refused(answer, 415, "unsupported_content_type") == (
        f"There is no Content-Type header; send one of {TYPES}."
    )


def test_a_picture_under_another_pictures_type_is_still_read(client: FlaskClient) -> None:
    assert post(client, save(noise(), "JPEG"), "image/png").status_code == 200


# --- JSON -------------------------------------------------------------------------------------


def pixels(value: Any = 0.5) -> list[Any]:
    return np.full((32, 32, 3), value).tolist()


def with_first(value: Any) -> list[Any]:
    rows = pixels()
    rows[0][0][0] = value
    return rows


def instances(*rows: Any) -> bytes:
    return json.dumps({"instances": rows}).encode()


def b64(data: bytes) -> dict[str, str]:
    return {"b64": base64.b64encode(data).decode()}


BAD_JSON: dict[str, tuple[Callable[[], bytes], str | None, str]] = {
    "no json": (lambda: b"instances", "invalid_json", "The body is not valid JSON: "),
    "python": (lambda: b"{'instances': []}", "invalid_json", "The body is not valid JSON: "),
    "a picture": (lambda: save(noise(), "JPEG"), "invalid_json", "The body is not valid JSON: "),
    "broken off": (lambda: instances(pixels())[:-9], "invalid_json", "The body is not valid JSON"),
    "nan": (lambda: b'{"instances": [NaN]}', "invalid_json", "The body is not valid JSON: "),
    "deep": (
        lambda: b'{"instances":' + b"[" * 200_000 + b"]" * 200_000 + b"}",
        "invalid_json",
        "The body is not valid JSON: ",
    ),
    "rather deep": (
        lambda: b'{"instances":' + b"[" * 500 + b"]" * 500 + b"}",
        None,
        "The instances ",
    ),
    "a list": (lambda: b"[[1]]", None, "The instances have the shape [1, 1], "),
    "an empty list": (lambda: b"[]", "invalid_instances", "The JSON has no list of instances. "),
    "an object": (
        lambda: b'{"picture": "abc"}',
        None,
        "Failed to process element: 0 key: picture of 'instances' list. Instance 0 must be an ",
    ),
    "null": (lambda: b"null", "invalid_instances", "The JSON has no list of instances. "),
    "another key": (
        lambda: json.dumps({"examples": [pixels()]}).encode(),
        "invalid_instances",
        "The JSON has no list of instances. ",
    ),
    "both keys": (
        lambda: json.dumps({"inputs": [pixels()], "instances": [pixels()]}).encode(),
        "invalid_instances",
        "The JSON has no list of instances. ",
    ),
    "no instances": (instances, "invalid_instances", "The JSON has no list of instances. "),
    "an object of instances": (
        lambda: b'{"instances": {"b64": ""}}',
        "invalid_instances",
        "The JSON has no list of instances. ",
    ),
    "ragged": (
        lambda: instances(pixels(), [[1]]),
        None,
        f"The instances are ragged; all must have the shape of the model's input {INPUT}.",
    ),
    "no batch axis": (
        lambda: instances(*pixels()),
        None,
        (
            "The instances have the shape [32, 32, 3], the first axis being their number; "
            f"the model's input is {INPUT}."
        ),
    ),
    "channels first": (
        lambda: instances(np.zeros((3, 32, 32)).tolist()),
        None,
        (
            "The instances have the shape [1, 3, 32, 32], the first axis being their number; "
            f"the model's input is {INPUT}."
        ),
    ),
    "a number": (lambda: instances(1), None, "The instances have the shape [1], "),
    "a text": (
        lambda: instances("picture.jpg"),
        None,
        f"The instances hold values that don't fit the input {INPUT}; send numbers.",
    ),
    "text among the values": (
        lambda: instances(with_first("0.5")),
        None,
        f"The instances hold values that don't fit the input {INPUT}; send numbers.",
    ),
    "null among the values": (
        lambda: instances(with_first(None)),
        None,
        f"The instances hold values that don't fit the input {INPUT}; send numbers.",
    ),
    "beyond float32": (
        lambda: instances(with_first(1e300)),
        None,
        (
            f"The instances hold values outside the range of the input {INPUT}; send numbers that "
            "float32 has."
        ),
    ),
    "another name": (
        lambda: instances({"img": pixels()}),
        None,
        "Failed to process element: 0 key: img of 'instances' list. Instance 0 must be an ",
    ),
    "too many": (
        lambda: instances(*[pixels(0)] * 65),
        None,
        (
            "The request has 65 instances, but 1 to 64 are taken at once; "
            "send them in several requests."
        ),
    ),
    "too many pictures": (
        lambda: instances(*[b64(b"x")] * 65),
        "invalid_instances",
        "The request has 65 instances, but 1 to 64 are taken at once; ",
    ),
    "bad base64": (
        lambda: instances({"b64": "?"}),
        "invalid_instances",
        (
            "Instance 0: its \"b64\" is no base64: base64 has no '?' in it. "
            "base64.b64encode(data).decode() makes it of a file's bytes."
        ),
    ),
    "base64 of nothing": (lambda: instances({"b64": ""}), "empty_body", ""),
    "a picture among tensors": (
        lambda: instances(pixels(), b64(save(noise(), "PNG"))),
        None,
        "The instances are ragged; ",
    ),
    "no good picture at all": (
        lambda: instances(b64(b"nothing"), {"b64": 5}),
        "not_an_image",
        "None of the 2 pictures could be answered. Instance 0: The body is not a picture",
    ),
    "columns without a batch": (
        lambda: json.dumps({"inputs": 0.5}).encode(),
        None,
        "The instances have the shape [], ",
    ),
    "columns of another name": (
        lambda: json.dumps({"inputs": {"img": [pixels()]}}).encode(),
        None,
        '"inputs" must be an object with exactly the model\'s inputs: image.',
    ),
    "a signature that is not there": (
        lambda: json.dumps({"signature_name": "x", "instances": [pixels()]}).encode(),
        None,
        (
            "The model has no signature 'x'; it has 'serving_default'. Name one of these as "
            '"signature_name", or leave that out.'
        ),
    ),
    "a signature that is not there, for pictures": (
        lambda: json.dumps({"signature_name": "x", "instances": [b64(b"x")]}).encode(),
        None,
        (
            "The model has no signature 'x'; it has 'serving_default'. Name one of these as "
            '"signature_name", or leave that out.'
        ),
    ),
    "a signature that is no text": (
        lambda: json.dumps({"signature_name": 5, "instances": [pixels()]}).encode(),
        "invalid_instances",
        (
            '"signature_name" must be a text, the name of one of the model\'s signatures; or leave '
            "it out."
        ),
    ),
    "texts that would take all memory as an array": (
        lambda: json.dumps({"instances": ["a" * 1_000_000, *["a"] * 1_000_000]}).encode(),
        None,
        f"The instances hold values that don't fit the input {INPUT}; send numbers.",
    ),
}


@pytest.mark.parametrize(("body", "code", "start"), BAD_JSON.values(), ids=BAD_JSON)
def test_bad_json_is_refused(
    body: Callable[[], bytes], code: str | None, start: str, client: FlaskClient, refused: Refused
) -> None:
    message = refused(post(client, body(), "application/json"), 400, code)
    assert message.startswith(start)
    if code == "invalid_json" or start.startswith("The JSON"):
        assert message.endswith(FORM)


# --- bodies of every type, at random ----------------------------------------------------------


def npy(values: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, values)
    return stream.getvalue()


GOOD: dict[str, bytes] = {
    "application/json": instances(b64(save(noise(size=(12, 9)), "PNG")), b64(b"nothing")),
    "application/jsonlines": 9
    * b'{"b64": "iVBORw0K"}\n{"url": "s3://bees/1.jpg"}\n[[1.5], null]\n',
    "application/x-npy": npy(np.ones((2, 2, 2, 3), np.float32)),
    "application/jsons": b'{"image": [[1]]}\n[2] [[3.5, "x"]] {"b64": "iVBORw0K"}',
    "text/csv": 9 * b"1,2.5,-3e2,4\n0.25,+1,nan,1e400\n",
}


def check_answer(answer: TestResponse) -> None:
    """Fail if the server is at fault, or says too much."""
    assert answer.status_code < 500, answer.text
    if answer.status_code != 200:
        error = json.loads(answer.data)["error"]
        message_of(answer, error["code"] if isinstance(error, dict) else None)


@pytest.mark.parametrize("content_type", GOOD)
@pytest.mark.parametrize("accept", ["application/json", "text/csv", "application/x-npy"])
def test_no_mutant_of_a_body_is_the_servers_fault(
    content_type: str, accept: str, client: FlaskClient
) -> None:
    chance = random.Random(content_type + accept)
    for _ in range(settings.default.max_examples):
        body = mutated(GOOD[content_type], chance)
        check_answer(
            client.post(
                "/invocations", data=body, content_type=content_type, headers={"Accept": accept}
            )
        )


CLIENT = Served().client()
TINY = save(noise(size=(2, 2)), "PNG")
ACCEPTS = ["*/*;q=nan", "image/png;q=-1", ";;;", ",", "a/b;q=1e999", "*/*;q", "text/*;q=inf"]


@pytest.mark.parametrize("content_type", READERS)
@given(body=st.binary(max_size=60) | st.text(max_size=40).map(lambda text: text.encode()))
def test_no_body_at_all_is_the_servers_fault(content_type: str, body: bytes) -> None:
    check_answer(post(CLIENT, body, content_type))


@given(accept=st.text(st.characters(max_codepoint=255), max_size=30) | st.sampled_from(ACCEPTS))
def test_no_accept_is_the_servers_fault(accept: str) -> None:
    headers = {"Accept": " ".join(accept.split()), "Content-Type": "image/png"}
    check_answer(CLIENT.post("/invocations", data=TINY, headers=headers))


@given(
    st.lists(st.tuples(st.sampled_from(sorted(OPTIONS)), st.text(st.characters(max_codepoint=255))))
)
def test_no_attribute_is_the_servers_fault(pairs: list[tuple[str, str]]) -> None:
    said = ",".join(f"{name}={' '.join(value.split())}" for name, value in pairs)
    headers = {"X-Amzn-SageMaker-Custom-Attributes": said, "Content-Type": "image/png"}
    check_answer(CLIENT.post("/invocations", data=TINY, headers=headers))


def test_after_the_zoo_the_server_still_answers(client: FlaskClient) -> None:
    good = save(noise(), "PNG")
    before = post(client, good).data
    for data, _ in NOT_PICTURES.values():
        post(client, data)
    for body, _, _ in BAD_JSON.values():
        post(client, body(), "application/json")
    answer = post(client, good)
    assert (answer.status_code, answer.data) == (200, before)
