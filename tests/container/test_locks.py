"""What the images are installed from: a wheel of everything, for each processor, by its hash."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.docker  # as the images' building, this asks the package index

ROOT = Path(__file__).parents[2]


def tried(lock: Path, machine: str) -> subprocess.CompletedProcess[str]:
    """What uv says to installing a lock as the Dockerfile does, without installing it."""
    return subprocess.run(
        [
            *(sys.executable, "-m", "uv", "pip", "install", "--dry-run", "--quiet"),
            *("--python-platform", f"{machine}-manylinux_2_40", "--python-version", "3.13"),
            *("--only-binary", ":all:", "--require-hashes", "--no-deps"),
            *("--target", ROOT / "build/none", "--requirement", lock),
        ],
        check=False,
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize(
    ("name", "machine"),
    [
        ("server", "x86_64"),
        ("server", "aarch64"),
        ("slim", "x86_64"),
        ("slim", "aarch64"),
        ("gpu", "x86_64"),
    ],
)
def test_everything_has_a_wheel(name: str, machine: str) -> None:
    done = tried(ROOT / f"requirements/{name}.txt", machine)

    assert done.returncode == 0, done.stderr


def test_what_has_no_wheel_for_a_processor_would_be_noticed(tmp_path: Path) -> None:
    """tensorflow-cpu is for x86_64 alone, as its marker in the lock says."""
    text = (ROOT / "requirements/server.txt").read_text("utf-8")
    unmarked = tmp_path / "server.txt"
    unmarked.write_text(re.sub(r"^(tensorflow-cpu==\S+) ;[^\\]*", r"\1 ", text, flags=re.MULTILINE))

    done = tried(unmarked, "aarch64")

    assert done.returncode != 0
    assert "no wheels with a matching platform tag" in " ".join(done.stderr.split())
