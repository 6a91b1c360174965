"""Base64 as people send it, written by Python's own encoders."""

from __future__ import annotations

import base64
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plumbline.wire.base64_texts import from_base64

FORMS = {
    "plain": lambda data: base64.b64encode(data).decode(),
    "lines of 76": lambda data: base64.encodebytes(data).decode(),
    "lines of Windows": lambda data: base64.encodebytes(data).decode().replace("\n", "\r\n"),
    "web-safe": lambda data: base64.urlsafe_b64encode(data).decode(),
    "web-safe without padding": lambda data: base64.urlsafe_b64encode(data).decode().rstrip("="),
    "without padding": lambda data: base64.b64encode(data).decode().rstrip("="),
    "data: URI": lambda data: f"data:image/jpeg;base64,{base64.b64encode(data).decode()}",
    "data: URI with a parameter": lambda data: (
        f"data:image/png;name=a.png;base64,{base64.encodebytes(data).decode()}"
    ),
    "data: URI of no type": lambda data: f" DATA:;BASE64,{base64.urlsafe_b64encode(data).decode()}",
}


@pytest.mark.parametrize("form", FORMS)
@given(data=st.binary(max_size=300))
def test_every_form_brings_the_very_bytes(form: str, data: bytes) -> None:
    assert from_base64(FORMS[form](data)) == data


BAD = {
    "a letter that is none": ("aGVs*G8=", "base64 has no '*' in it"),
    "beyond ASCII": ("aGVsbG8é", "base64 has no 'é'"),
    "one letter too many": ("aGVsbG8hx", "it breaks off, or has letters too many"),
    "too much padding": ("aGVsbG8==", "it breaks off, or has letters too many"),
    "too little padding": ("aGVsbA=", "it breaks off, or has letters too many"),
    "padding inside": ("aGVs=bG8h", "base64 has no '=' in it"),
    "a data: URI that is percent-encoded": (
        "data:image/svg+xml,%3Csvg/%3E",
        "a data: URI must begin like data:image/jpeg;base64,",
    ),
}


@pytest.mark.parametrize(("text", "words"), BAD.values(), ids=BAD)
def test_what_is_none_is_said_in_words(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(words)}$"):
        from_base64(text)
