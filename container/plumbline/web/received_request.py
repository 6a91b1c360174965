"""A request as it comes in, piece by piece: what its header says, and what has come of its body."""

from __future__ import annotations

import re

import httptools

from plumbline.errors import MalformedBody, PlumblineError, RequestError

HEADER_BYTES = 64 * 1024
"""Of a header, and of what stands between two pieces of a body that is sent in chunks."""

PIECE = 64 * 1024
"""Of a body in chunks, bytes that are received at a time."""

MOST_FIELDS = 100
"""In one header."""

UPGRADE = re.compile(rb"\r\nupgrade:[^\r\n]*", re.IGNORECASE)
"""An offer to speak another protocol, which a server may leave unheeded."""

BAD_CHUNK = (
    "The body is sent in chunks (Transfer-Encoding: chunked), and one of them is not as RFC 9112 "
    "has it: its size in hexadecimal digits, a line break, so many bytes, a line break."
)


class BadRequest(RequestError):
    """What is no HTTP, or not the HTTP that is spoken here."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


def take_header(buffer: bytearray) -> bytes:
    """Take a whole header from the buffer; nothing where there is none yet."""
    while buffer.startswith((b"\r", b"\n")):
        del buffer[:1]
    end = buffer.find(b"\r\n\r\n", 0, HEADER_BYTES) + 4
    if end < 4:
        return b""
    header = bytes(buffer[:end])
    del buffer[:end]
    return header


class ReceivedRequest:
    """One request. The methods called `on_…` are what httptools calls."""

    def __init__(self, header: bytes) -> None:
        """Raise `BadRequest` for a header that breaks HTTP's rules."""
        self.target = b""
        self.fields: list[tuple[bytes, bytes]] = []
        self.body = bytearray()
        self.is_whole = False
        self.may_be_followed = False
        """Whether the connection goes on after it, as far as the client is concerned."""
        self.trouble: PlumblineError | None = None
        """Why the body is not, and will not be, whole."""
        self._between = 0
        self._parser: httptools.HttpRequestParser | None = httptools.HttpRequestParser(self)
        self._read(header, self._parser)
        if not self.is_chunked:
            self._parser = None  # it knows this request, too: such a cycle lives long

    def _read(self, header: bytes, parser: httptools.HttpRequestParser) -> None:
        if header.count(b"\r\n") > MOST_FIELDS + 2:
            raise BadRequest(f"The request has more than {MOST_FIELDS} header fields.", 431)
        try:
            parser.feed_data(UPGRADE.sub(b"", header))
        except httptools.HttpParserUpgrade as exc:
            raise BadRequest("This server is no proxy: it knows no CONNECT.", 405) from exc
        except httptools.HttpParserError as exc:
            raise BadRequest(f"The request breaks the rules of HTTP/1.1: {exc}.") from exc
        self.method = parser.get_method().decode("latin-1")
        self.version = parser.get_http_version()
        if self.version not in ("1.0", "1.1"):
            raise BadRequest(f"This server speaks HTTP/1.1, not HTTP/{self.version}.", 505)
        said = {name.lower(): text.strip(b" \t") for name, text in self.fields}
        encoding = said.get(b"transfer-encoding", b"").lower()
        if encoding not in (b"", b"chunked"):
            raise BadRequest("The only Transfer-Encoding that is known here is chunked.", 501)
        self.is_chunked = bool(encoding)
        self.declared = int(said[b"content-length"]) if b"content-length" in said else None
        """Bytes of the body, where the header says how many."""
        self.length = self.declared or 0
        expected = said.get(b"expect", b"").lower()
        if expected not in (b"", b"100-continue"):
            raise BadRequest("The only expectation that can be met is 100-continue.", 417)
        self.waits_for_word = bool(expected) and self.version == "1.1"
        self.is_whole = not self.is_chunked and not self.length

    def on_url(self, target: bytes) -> None:
        """Note the target; it may come in pieces."""
        if not self.is_whole:
            self.target += target

    def on_header(self, name: bytes, text: bytes) -> None:
        """Note a field of the header; those after a body are of no use."""
        if not self.body and not self._between:
            self.fields.append((name, text))

    def on_headers_complete(self) -> None:
        """Note whether the connection may go on: the parser forgets it with the end."""
        if self._parser and not self.is_whole:
            self.may_be_followed = self._parser.should_keep_alive()

    def on_message_begin(self) -> None:
        """Note that something follows what came in chunks; nobody knows where it begins."""
        if self.is_whole:
            self.may_be_followed = False

    def on_body(self, piece: bytes) -> None:
        """Add to the body."""
        if not self.is_whole:
            self._between = 1
            self.body += piece

    def on_message_complete(self) -> None:
        """Note that all has come."""
        self.is_whole = True

    def take(self, buffer: bytearray) -> None:
        """Take from the buffer what is the body's."""
        if not self.is_chunked:
            missing = self.length - len(self.body)
            self.body += buffer[:missing]
            del buffer[:missing]
            self.is_whole = len(self.body) == self.length
            return
        piece = bytes(buffer)
        buffer.clear()
        self._between += len(piece)
        try:
            if self._parser:
                self._parser.feed_data(piece)
        except httptools.HttpParserError:
            self.may_be_followed = False
            if not self.is_whole:
                self.trouble = MalformedBody(BAD_CHUNK)
        if not self.is_whole and self._between > HEADER_BYTES:
            self.trouble = MalformedBody(BAD_CHUNK)

    def taken(self) -> bytes:
        """The body, which is kept here no longer."""
        whole = bytes(self.body)
        self.body = bytearray()
        self._parser = None
        return whole

    @property
    def missing(self) -> int:
        """How many bytes to receive next."""
        return PIECE if self.is_chunked else max(1, self.length - len(self.body))

    def is_over(self, limit: int) -> bool:
        """Whether it is larger than it may be, or says that it will be."""
        return max(self.length, len(self.body)) > limit
