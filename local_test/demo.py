"""The demo: serve a packed model, send it a picture, show the answer, and keep serving.

    python local_test/demo.py [--port 8080] [--docker]

`make demo` runs it after training and packing the model.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from PIL import Image
from rich.bar import Bar
from rich.color import Color
from rich.console import Console
from rich.padding import Padding
from rich.style import Style
from rich.table import Table
from rich.text import Text

from plumbline.machine.program_name import VERSION

ROOT = Path(__file__).resolve().parents[1]
BUILD = ROOT / "build" / "demo"
ARCHIVE = BUILD / "model.tar.gz"
PICTURE = BUILD / "pictures" / "three.png"
LOG = BUILD / "server.log"

START_SECONDS = 120

console = Console(highlight=False, record=True)
waiting = Console(highlight=False)


def command_for(port: int, *, docker: bool) -> list[str]:
    """What starts the server."""
    if docker:
        script = ROOT / "local_test" / "serve_local.sh"
        return [str(script), "--port", str(port), str(ARCHIVE)]
    return [sys.executable, "-m", "plumbline", "serve", str(ARCHIVE), "--port", str(port)]


def refuse_taken(port: int) -> None:
    """End with a sentence if something listens there already."""
    with socket.socket() as probe:
        if probe.connect_ex(("127.0.0.1", port)) == 0:
            raise SystemExit(f"Port {port} is taken; choose another: make demo PORT={port + 1}")


@contextlib.contextmanager
def server(command: list[str]) -> Iterator[subprocess.Popen[bytes]]:
    """The server, running; its log goes to a file, and it is ended with what is inside."""
    with LOG.open("wb") as log:
        # Its own session: Ctrl-C ends this program first, which then ends the server.
        process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def ask(port: int, method: str, path: str, body: bytes = b"") -> tuple[int, bytes]:
    """One HTTP request to the server: status and body."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request(method, path, body, {"Content-Type": "application/x-image"})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def wait_until_ready(process: subprocess.Popen[bytes], port: int) -> float:
    """Ask /ping until it says 200, showing what it says meanwhile; the seconds it took."""
    start = time.monotonic()
    with waiting.status("Starting …") as status:
        while time.monotonic() < start + START_SECONDS:
            if process.poll() is not None:
                break
            with contextlib.suppress(OSError, http.client.HTTPException):
                code, body = ask(port, "GET", "/ping")
                if code == 200:
                    return time.monotonic() - start
                status.update(json.loads(body)["error"]["message"])
            time.sleep(0.1)
    tail = "\n".join(LOG.read_text(errors="replace").splitlines()[-15:])
    raise SystemExit(f"The server did not become ready. The end of {LOG}:\n{tail}")


def colour(pixel: Any) -> Color:
    """A pixel's colour as a terminal takes it."""
    return Color.from_rgb(*pixel)


def drawn(file: Path, width: int = 20) -> Text:
    """The picture in coloured half blocks, two pixels to a character."""
    image = Image.open(file).convert("RGB")
    height = 2 * round(width * image.height / image.width / 2)
    small = image.resize((width, height), Image.Resampling.BOX)
    text = Text()
    for y in range(0, height, 2):
        for x in range(width):
            upper, lower = (small.getpixel((x, y + row)) for row in (0, 1))
            text.append("▀", Style(color=colour(upper), bgcolor=colour(lower)))
        text.append("\n")
    return text


def classes_table(classes: list[dict[str, Any]]) -> Table:
    """The best classes with their scores as bars."""
    table = Table.grid(padding=(0, 2))
    for found in classes:
        score = float(found["score"])
        table.add_row(found["label"], Bar(1, 0, score, width=24, color="green"), f"{score:9.5%}")
    return table


def show_answer(port: int) -> None:
    """Send the picture and show what came back."""
    start = time.perf_counter()
    code, body = ask(port, "POST", "/invocations", PICTURE.read_bytes())
    milliseconds = 1000 * (time.perf_counter() - start)
    if code != 200:
        raise SystemExit(f"The server answered {code}: {body.decode(errors='replace')}")
    both = Table.grid(padding=(0, 4))
    both.add_row(drawn(PICTURE), classes_table(json.loads(body)["predictions"][0]["classes"]))
    shown = PICTURE.relative_to(ROOT)
    console.print(f"\n[bold]{shown}[/] was answered in {milliseconds:.1f} ms:\n")
    console.print(Padding(both, (0, 4)))


def show_how_to_try(port: int) -> None:
    """What to type into another terminal."""
    shown = PICTURE.relative_to(ROOT).with_name("seven.png")
    console.print(
        "The golden pictures came out right.\n"
        "Try it yourself, on the page above or in another terminal:\n"
    )
    console.print(
        f"    curl --data-binary @{shown} -H 'Content-Type: image/png' \\\n"
        f"         http://localhost:{port}/invocations\n",
        style="cyan",
        soft_wrap=True,  # to be copied as it is
    )
    console.print(f"The server's log is {LOG.relative_to(ROOT)}. Ctrl-C stops the server.")


def main() -> None:
    """Serve, ask, show, wait."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--version", action="version", version=VERSION)
    parser.add_argument("--port", type=int, default=8080, help="where to listen (default 8080)")
    parser.add_argument("--docker", action="store_true", help="serve in the container")
    parser.add_argument("--svg", type=Path, help="also save what is shown as a picture")
    chosen = parser.parse_args()
    refuse_taken(chosen.port)
    with server(command_for(chosen.port, docker=chosen.docker)) as process:
        try:
            address = f"http://localhost:{chosen.port}/"
            console.print(f"A page to drop pictures on: [bold cyan]{address}[/]")
            seconds = wait_until_ready(process, chosen.port)
            console.print(f"The server was ready after {seconds:.1f} s.")
            show_answer(chosen.port)
            show_how_to_try(chosen.port)
            if chosen.svg:
                console.save_svg(str(chosen.svg), title="make demo")
            process.wait()
        except KeyboardInterrupt:
            console.print("\nStopping …")


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    main()
