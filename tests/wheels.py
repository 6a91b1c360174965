"""Wheels of a module that nobody else has."""

from __future__ import annotations

import zipfile
from pathlib import Path

NAME = "plumbline_test_animals"


def wheel(folder: Path, name: str = NAME, needs: str = "") -> None:
    """A wheel of a module, as pip installs it; `needs` are more lines of its metadata."""
    folder.mkdir(exist_ok=True)
    about = f"{name}-1.2.dist-info"
    said = f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.2\n{needs}"
    tags = "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    texts = {f"{name}.py": "CAT = 'miaow'\n", f"{about}/METADATA": said, f"{about}/WHEEL": tags}
    record = "".join(f"{each},,\n" for each in (*texts, f"{about}/RECORD"))
    with zipfile.ZipFile(folder / f"{name}-1.2-py3-none-any.whl", "w") as file:
        for each, text in {**texts, f"{about}/RECORD": record}.items():
            file.writestr(each, text)
