"""A small server of the standard library that keeps the contract; BREAKS names a rule it breaks.

It adds the number in model.json to each of `x`: {"x": [1]} is answered with {"y": [3]}.
"""

import gc
import json
import os
import signal
import socket
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote

BREAKS = os.environ.get("BREAKS", "")
MANY = os.environ.get("SAGEMAKER_MULTI_MODEL") == "true"
PORT = 8080 if BREAKS == "port" else int(os.environ.get("SAGEMAKER_BIND_TO_PORT", "8080"))
SLOW = BREAKS in ("crowd", "drops")

ready = threading.Event()
one_at_a_time = threading.Lock()
slots = threading.Semaphore(20)
inside: set[int] = set()
models: dict[str, tuple[str, float]] = {}
kept: list[bytearray] = []
counts = {"requests": 0}


def say(event: str) -> None:
    """A line of the log."""
    print(json.dumps({"event": event}), flush=True)


def read_model(folder: str) -> float:
    """The number of a model; 2 where there is none at all."""
    file = Path(folder) / "model.json"
    if not MANY and not any(Path(folder).iterdir()):
        return 2.0
    return float(json.loads(file.read_text())["add"])


def prepare() -> None:
    """What is done before it is ready."""
    try:
        write_and_ask()
        if not MANY:
            models[""] = ("/opt/ml/model", read_model("/opt/ml/model"))
    except (OSError, ValueError, KeyError) as error:
        if BREAKS != "broken model":
            say(f"it can't be loaded: {error}")
            os._exit(1)
        models[""] = ("/opt/ml/model", 0.0)
    time.sleep(2.0 if BREAKS in ("early", "stubborn") else 0.2)
    if BREAKS != "never":
        ready.set()
        say("ready")


def write_and_ask() -> None:
    """What should not be done at a start."""
    if BREAKS == "disk":
        Path("/var/tmp/compiled").write_text("1")
    if BREAKS == "model disk":
        Path("/opt/ml/model/compiled").write_text("1")
    if BREAKS == "network":
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.connect(("192.0.2.1", 9))


def computed(text: bytes, add: float) -> dict:
    """The answer to a document, or the error."""
    try:
        numbers = [number + add for number in json.loads(text)["x"]]
    except (ValueError, KeyError, TypeError):
        return {"error": 'send {"x": [1, 2]}'}
    return {"y": [number + (BREAKS == "wrong answer") for number in numbers]}


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.0" if BREAKS == "one request" else "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """What access logs do."""
        if BREAKS == "chatter":
            say(self.requestline)

    def answer(self, status: int, document: object = None, **headers: str) -> None:
        """Send it, as JSON if it is anything."""
        text = document if isinstance(document, str) else json.dumps(document)
        body = b"" if document is None else text.encode()
        self.send_response(status)
        if BREAKS != "no type":
            self.send_header("Content-Type", headers.pop("kind", "application/json"))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def body(self) -> bytes:
        """The request's body; in chunks, too."""
        if self.headers.get("Transfer-Encoding") != "chunked":
            wanted = int(self.headers.get("Content-Length", 0))
            read = self.rfile.read(wanted)
            if len(read) < wanted:
                raise ConnectionError
            return read
        pieces = []
        while size := int(self.rfile.readline(), 16):
            pieces.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(pieces)

    def do_GET(self) -> None:
        """Health, metrics, parameters, models."""
        path = self.path
        if path == "/ping":
            if BREAKS == "crowd":
                with one_at_a_time:
                    pass
            healthy = ready.is_set() or BREAKS == "early"
            self.answer(200 if healthy else 503, "fine" if BREAKS == "ping body" else None)
        elif path == "/metrics":
            value = "many" if BREAKS == "metrics" else counts["requests"]
            self.answer(200, f"zoo_requests_total {value}\n", kind="text/plain; version=0.0.4")
        elif path == "/execution-parameters":
            at_once = "1" if BREAKS == "parameter types" else 1
            most = 600 if BREAKS == "parameters" else 6
            names = {"MaxConcurrentTransforms": at_once, "MaxPayloadInMB": most}
            self.answer(200, {**names, "BatchStrategy": "MULTI_RECORD"})
        elif path == "/models" and MANY:
            listed = [{"modelName": name, "modelUrl": url} for name, (url, _) in models.items()]
            self.answer(200, {"models": listed})
        elif path.startswith("/models/") and MANY:
            found = models.get(unquote(path.split("/")[2]))
            self.answer(200 if found else 404, {"url": found[0]} if found else {"error": "none"})
        elif path == "/invocations":
            self.answer(405, {"error": "POST it"})
        else:
            self.answer(200 if BREAKS == "paths" else 404, {"error": "no such path"})

    def do_DELETE(self) -> None:
        """Unload."""
        name = unquote(self.path.split("/")[2])
        found = models.get(name) if BREAKS == "unload" else models.pop(name, None)
        gc.collect()
        self.answer(200 if found else 404, {})

    def do_POST(self) -> None:
        """Load, or answer."""
        if BREAKS == "large body" and int(self.headers.get("Content-Length", 0)) > 2**20:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            self.close_connection = True
            return
        if BREAKS == "chunks" and "Transfer-Encoding" in self.headers:
            self.close_connection = True
            self.answer(411, {"error": "say how long it is"})
            return
        inside.add(id(self))
        try:
            self.take()
        finally:
            inside.discard(id(self))

    def take(self) -> None:
        """A request with a body."""
        if BREAKS == "leaked slots" and not slots.acquire(blocking=False):
            self.body()
            self.answer(503, {"error": "busy"})
            return
        try:
            body = self.body()
        except ConnectionError:
            self.close_connection = True  # where slots leak, this one is gone
            return
        if BREAKS == "leaked slots":
            slots.release()
        if self.path == "/models":
            self.load(json.loads(body))
            return
        name = unquote(self.path.split("/")[2]) if self.path.startswith("/models/") else ""
        if name not in models or not ready.is_set():
            missing = 500 if BREAKS == "unknown model" else 404
            self.answer(missing if MANY else 503, {"error": "not loaded"})
            return
        self.compute(body, models[name][1])

    def load(self, asked: dict) -> None:
        """Of many models, one."""
        name, url = asked["model_name"], asked["url"]
        if name in models and BREAKS != "twice":
            self.answer(409, {"error": "it is loaded"})
            return
        try:
            models[name] = (url, read_model(url))
        except (OSError, ValueError, KeyError) as error:
            self.answer(507 if BREAKS == "bad model" else 400, {"error": str(error)})
            return
        self.answer(200, {})

    def compute(self, body: bytes, add: float) -> None:
        """The answer, or a refusal."""
        counts["requests"] += 1
        attributes = self.headers.get("X-Amzn-SageMaker-Custom-Attributes", "")
        if BREAKS == "strict headers" and "X-Nobody-Knows-This" in self.headers:
            return self.answer(400, {"error": "an unknown header"})
        if BREAKS == "short headers" and len(attributes) > 512:
            return self.answer(431, {"error": "too long"})
        if BREAKS == "leak":
            kept.append(bytearray(b"1" * 2**20))
        if SLOW:
            with one_at_a_time if BREAKS == "crowd" else threading.Lock():
                time.sleep(0.25)
        more = {}
        if BREAKS == "long attributes":
            more = {"X_Amzn_SageMaker_Custom_Attributes": "a" * 1200}
        if self.headers.get("Content-Type") == "application/jsonlines" and BREAKS != "lines":
            lines = [json.dumps(computed(line, add)) for line in body.splitlines()]
            return self.answer(200, "\n".join(lines) + "\n", **more)
        found = computed(body, add)
        return self.refuse() if "error" in found else self.answer(200, found, **more)

    def refuse(self) -> None:
        """What can't be read."""
        if BREAKS == "tracebacks":
            text = '<!doctype html><pre>Traceback (most recent call last):\n File "/s.py"</pre>'
            return self.answer(500, text, kind="text/html")
        if BREAKS == "torn log":
            print("Traceback (most recent call last):\n  File 's.py'\nValueError", flush=True)
        return self.answer(400, computed(b"", 0.0))


class Server(ThreadingHTTPServer):
    """Many connections at once."""

    request_queue_size = 128
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Clients that hang up are no news."""


def train() -> None:
    """A job: the model is the number of files."""
    files = [path for path in Path("/opt/ml/input/data").rglob("*") if path.is_file()]
    files = [path for path in files if not path.name.endswith("-manifest")]
    if BREAKS == "trains online":
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.connect(("192.0.2.1", 9))
    if not files:
        if BREAKS != "silent failure":
            Path("/opt/ml/output/failure").write_text("There is no file in any channel.")
        sys.exit(0 if BREAKS == "hidden failure" else 1)
    time.sleep(0.5)
    if BREAKS != "no model":
        Path("/opt/ml/model/model.json").write_text(json.dumps({"add": len(files)}))


def end(server: Server) -> None:
    """What SIGTERM means."""
    if BREAKS == "stubborn" and not ready.is_set():
        return
    if BREAKS != "drops":
        threading.Thread(target=server.shutdown).start()
        while inside:
            time.sleep(0.01)
        time.sleep(0.2)
    os._exit(0)


def serve() -> None:
    """Until SIGTERM."""
    address = ("127.0.0.1" if BREAKS == "loopback" else "", PORT)
    server = Server(address, Handler, bind_and_activate=False)
    signal.signal(signal.SIGTERM, lambda *_: end(server))
    server.server_bind()
    server.server_activate()
    threading.Thread(target=prepare, daemon=True).start()
    threading.Thread(target=server.serve_forever).start()
    while True:
        if BREAKS == "flood":
            print("still here " * 10, flush=True)
        else:
            time.sleep(1)


if BREAKS == "serve" and sys.argv[1:] == ["serve"]:
    sys.exit("server.py: error: unrecognized arguments: serve")
elif sys.argv[1:] == ["train"]:
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    train()
else:
    serve()
