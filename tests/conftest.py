"""What the machine lacks is skipped, in a line each that says why; CI demands that nothing is.

`PLUMBLINE_TEST_REQUIRE=browser,compose,docker,opencv,prometheus,registry,tensorflow` turns the
skips of those into failures.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import subprocess
from collections.abc import Callable
from functools import cache

import pytest

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # So a shell without job control starts what runs in its background; Ctrl-C is tested, too.
    signal.signal(signal.SIGINT, signal.default_int_handler)

REQUIRED = frozenset(filter(None, os.environ.get("PLUMBLINE_TEST_REQUIRE", "").split(",")))


@cache
def browser_problem() -> str | None:
    """Why there is no browser that tests can drive, or None."""
    lacking = [name for name in ("chromium", "chromedriver") if shutil.which(name) is None]
    return f"{' and '.join(lacking)} can't be found (Debian: chromium-driver)" if lacking else None


@cache
def docker_problem() -> str | None:
    """Why there is no Docker here, or None if an engine answers."""
    if shutil.which("docker") is None:
        return "docker is not installed"
    # Not by the Python SDK, which leaves a socket open where nobody answers.
    asked = subprocess.run(["docker", "version"], capture_output=True, check=False)
    return None if asked.returncode == 0 else "no Docker engine answers (docker version says why)"


@cache
def compose_problem() -> str | None:
    """Why there is no Docker Compose here, as a plugin of Docker or by itself, or None."""
    if shutil.which("docker-compose"):
        return None
    asked = subprocess.run(["docker", "compose", "version"], capture_output=True, check=False)
    return None if asked.returncode == 0 else "Docker Compose is not installed"


@cache
def registry_problem() -> str | None:
    """Why there is no registry for images here, or None."""
    return None if shutil.which("docker-registry") else "docker-registry is not installed"


@cache
def tensorflow_problem() -> str | None:
    """Why there is no TensorFlow here, or None."""
    return None if importlib.util.find_spec("tensorflow") else "TensorFlow is not installed"


@cache
def opencv_problem() -> str | None:
    """Why there is no OpenCV here, or None."""
    return None if importlib.util.find_spec("cv2") else "OpenCV is not installed"


@cache
def prometheus_problem() -> str | None:
    """Why there is no Prometheus here, or None."""
    found = shutil.which("prometheus") and shutil.which("promtool")
    return None if found else "prometheus and promtool are not installed"


NEEDS: dict[str, Callable[[], str | None]] = {
    "browser": browser_problem,
    "docker": docker_problem,
    "compose": compose_problem,
    "opencv": opencv_problem,
    "prometheus": prometheus_problem,
    "registry": registry_problem,
    "tensorflow": tensorflow_problem,
}


def pytest_configure(config: pytest.Config) -> None:
    """Make the markers known."""
    for need in NEEDS:
        config.addinivalue_line("markers", f"{need}: needs {need}")


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what can't run here, or fail where it is required."""
    for need, problem_of in NEEDS.items():
        if item.get_closest_marker(need) is None:
            continue
        problem = problem_of()
        if problem and need in REQUIRED:
            pytest.fail(f"{need} is required here, but {problem}.", pytrace=False)
        if problem:
            pytest.skip(f"needs {need}: {problem}")
