"""Base64 as people send it → bytes: data: URIs, lines, the web-safe alphabet, without padding."""

from __future__ import annotations

import binascii
import re

DATA_URI = re.compile(r"\s*data:(?P<about>[^,]*),", re.IGNORECASE)
"""What browsers write in front of it: `data:image/jpeg;base64,`."""

MOST_OF_URI = 256
"""Characters of a text in which that is looked for."""

BLANKS = b" \t\n\v\f\r"

PLAIN = bytes.maketrans(b"-_", b"+/")
"""The web-safe alphabet's two letters → those of the other."""

STRANGE = re.compile(rb"[^A-Za-z0-9+/]")


def from_base64(text: str) -> bytes:
    """The bytes. Raises `ValueError` that says what is wrong, behind "it is no base64"."""
    try:
        return binascii.a2b_base64(text, strict_mode=True)
    except ValueError:  # of another form, or none
        return decoded(letters_of(text))


def letters_of(text: str) -> bytes:
    """The text's letters in the plain alphabet, with the padding that it came with."""
    uri = DATA_URI.match(text[:MOST_OF_URI])
    if uri and not uri["about"].lower().endswith(";base64"):
        raise ValueError("a data: URI must begin like data:image/jpeg;base64,")
    try:
        letters = text[uri.end() if uri else 0 :].encode("ascii")
    except UnicodeEncodeError as exc:
        raise ValueError(f"base64 has no {text[exc.start]!r}") from exc
    return letters.translate(PLAIN, delete=BLANKS)


def decoded(letters: bytes) -> bytes:
    """What the letters stand for; the padding may be missing, but not be another."""
    bare = letters[:-2] + letters[-2:].replace(b"=", b"")
    lacking = -len(bare) % 4
    if found := STRANGE.search(bare):
        raise ValueError(f"base64 has no {found[0].decode('ascii')!r} in it")
    if lacking == 3 or len(letters) - len(bare) not in (0, lacking):
        raise ValueError("it breaks off, or has letters too many")
    return binascii.a2b_base64(bare + b"=" * lacking)
