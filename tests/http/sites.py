"""Web servers on this machine that answer with any bytes, and an internet that leads to them."""

from __future__ import annotations

import socket
import socketserver
import ssl
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from plumbline.links.https import Network

Answer = Callable[[socket.socket], None]
"""What a site does once a request has come: it writes to the connection as it likes."""

ADDRESS = "93.184.215.14"
"""Public, so that it may be fetched from; nothing is ever sent there."""


SIGNS_CERTIFICATES = x509.KeyUsage(
    digital_signature=False,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=True,
    crl_sign=False,
    encipher_only=False,
    decipher_only=False,
)
"""Without it Python 3.13 trusts no authority."""


def plain(body: bytes, status: str = "200 OK", *headers: str) -> Answer:
    """A whole answer with its length, as it should be."""
    return raw(f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, body=body)


def raw(*head: str, body: bytes = b"") -> Answer:
    """An answer of these lines and this body, whatever they say."""
    data = "\r\n".join([*head, "\r\n"]).encode() + body
    return lambda connection: connection.sendall(data)


def moved(location: str, status: int = 302) -> Answer:
    """A redirect."""
    return plain(b"moved", f"{status} Moved", f"Location: {location}")


@dataclass
class Site:
    """One server: what it answers by path, and the requests that have come."""

    port: int
    answers: dict[str, Answer] = field(default_factory=dict)
    requests: list[bytes] = field(default_factory=list)
    names: list[str | None] = field(default_factory=list)

    @property
    def paths(self) -> list[str]:
        """What was asked for, in order."""
        return [request.split()[1].decode() for request in self.requests]

    def serve(self, connection: socket.socket) -> None:
        """Read a request and answer it."""
        head = b""
        while b"\r\n\r\n" not in head:
            piece = connection.recv(65536)
            if not piece:
                return
            head += piece
        self.requests.append(head)
        path = head.split()[1].decode()
        self.answers.get(path, plain(b"nothing here", "404 Not Found"))(connection)


class Server(socketserver.ThreadingTCPServer):
    """Takes connections; each in a thread that ends with the test."""

    allow_reuse_address = True
    daemon_threads = True
    block_on_close = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that leave early are what is tested."""


@contextmanager
def running(tls: ssl.SSLContext | None) -> Iterator[Site]:
    """A site, with TLS or without."""
    site = Site(0)

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with suppress(OSError):
                if tls is None:
                    site.serve(self.request)
                    return
                with tls.wrap_socket(self.request, server_side=True) as secured:
                    site.serve(secured)

    with Server(("127.0.0.1", 0), Handler) as server:
        site.port = server.server_address[1]
        if tls is not None:
            tls.sni_callback = lambda _socket, name, _context: site.names.append(name)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield site
        finally:
            server.shutdown()
            thread.join()


@dataclass
class Internet:
    """Names, addresses, and what answers there; every look-up and connection is written down."""

    client: ssl.SSLContext
    names: dict[str, Sequence[str]] = field(default_factory=dict)
    ports: dict[str, int] = field(default_factory=dict)
    looked_up: list[str] = field(default_factory=list)
    connected: list[tuple[str, int]] = field(default_factory=list)

    @property
    def network(self) -> Network:
        """What `Links` takes."""
        return Network(self.look_up, self.connect, lambda: self.client)

    def look_up(self, host: str, _port: int) -> Sequence[str]:
        """The addresses of a name; as the DNS may, it answers otherwise every time."""
        self.looked_up.append(host)
        if host not in self.names:
            raise socket.gaierror(socket.EAI_NONAME, "secret.internal is not known")
        return self.names[host]

    def connect(self, place: tuple[str, int], seconds: float) -> socket.socket:
        """A connection to the site that stands for an address."""
        self.connected.append(place)
        if place[0] not in self.ports:
            raise ConnectionRefusedError(111, "refused by 10.1.2.3")
        return socket.create_connection(("127.0.0.1", self.ports[place[0]]), seconds)


class Authority:
    """Signs certificates, in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self.certificate = folder / "authority.pem"
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Test authority")])
        made = self._signed(self._name, self._key.public_key(), authority=True)
        self.certificate.write_bytes(made)

    def client(self) -> ssl.SSLContext:
        """TLS as the server's, but trusting this authority."""
        return ssl.create_default_context(cafile=str(self.certificate))

    def server(self, name: str, days: int = 30) -> ssl.SSLContext:
        """TLS of a site of that name, valid for so many days from now."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        file = self._folder / f"{name}{days}.pem"
        encoding, private = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
        secret = key.private_bytes(encoding, private, serialization.NoEncryption())
        file.write_bytes(secret + self._signed(subject, key.public_key(), days))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        return context

    def _signed(
        self,
        subject: x509.Name,
        key: ec.EllipticCurvePublicKey,
        days: int = 30,
        authority: bool = False,
    ) -> bytes:
        now = datetime.now(UTC)
        name = subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value
        issuer = self._key.public_key()
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=60))
            .not_valid_after(now + timedelta(days=days))
            .add_extension(x509.BasicConstraints(authority, None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer), critical=False
            )
        )
        if authority:
            builder = builder.add_extension(SIGNS_CERTIFICATES, critical=True)
        else:
            names = x509.SubjectAlternativeName([x509.DNSName(str(name))])
            builder = builder.add_extension(names, critical=False)
        certificate = builder.sign(self._key, hashes.SHA256())
        return certificate.public_bytes(serialization.Encoding.PEM)
