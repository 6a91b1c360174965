"""The page docs/licences.md, of the inventories of the images.

`python images/licences.py SBOM…` prints it. Debian's packages are left to the images' own lists:
which they are is Debian's to say, and changes with each build.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

HEAD = """# Licences

Plumbline is under the Apache License 2.0 (`LICENSE`). The other software in its images has its own
licences. Each image lists all of it, Debian's packages included, with the place of each licence's
text: `docker run --rm IMAGE cat /usr/share/doc/plumbline/licences.txt`.

These are the Python packages, with the licence that each names in its metadata, and the images
that contain it (`server` is the default image). NVIDIA's packages, in the GPU image only, are under
NVIDIA's own terms: read them before you redistribute that image.

| package | licence | images |
|---|---|---|
"""

FOOT = """
Two fonts are in the code: DejaVu Sans (Bitstream Vera's licence) and Droid Sans Fallback (Apache
License 2.0), each beside its licence in `container/plumbline/results/drawing/fonts/`.

The table is written by `images/licences.py` from the images' inventories.

Next: [choose an image](images.md).
"""


def told(licence: dict[str, Any]) -> str:
    """A licence of CycloneDX's, in a word."""
    return str(licence.get("expression") or licence["license"]["name"]).replace("|", "\\|")


def page(inventories: list[dict[str, Any]]) -> str:
    """The whole page."""
    found: dict[str, tuple[str, list[str]]] = {}
    for inventory in inventories:
        image = inventory["metadata"]["component"]["name"].removeprefix("plumbline-")
        for each in inventory["components"]:
            if each.get("purl", "").startswith("pkg:pypi/"):
                licence = ", ".join(map(told, each["licenses"]))
                found.setdefault(each["name"], (licence, []))[1].append(image)
    lines = (
        f"| {name} | {licence} | {', '.join(sorted(images))} |"
        for name, (licence, images) in sorted(found.items())
    )
    return HEAD + "\n".join(lines) + "\n" + FOOT


if __name__ == "__main__":
    texts = [Path(name).read_text("utf-8") for name in sys.argv[1:]]
    sys.stdout.write(page([json.loads(text) for text in texts]))
