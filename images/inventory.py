"""What an image is made of, as a CycloneDX document and as a list of licences.

`python inventory.py TARGET BASE FACTS OUT` writes OUT/sbom.cdx.json and OUT/licences.txt. The
Python packages are those of the interpreter that runs this; FACTS holds debian/ (dpkg's `status`,
`os-release`, each package's copyright) and plumbline/ (the code). The Dockerfile calls it. The
standard library is all that it needs, and no time is noted, so that the same image has the same
inventory.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Any
from urllib.parse import quote

SPEC_VERSION = "1.6"

NAMELESS = "not named in its metadata"

EXPRESSION = "License-Expression"

CLASSIFIER = "License :: "


@dataclass(frozen=True)
class Component:
    """A package, a font, or Plumbline itself."""

    kind: str
    """A type of CycloneDX's: library, file, application."""
    name: str
    version: str
    purl: str
    licences: tuple[str, ...]
    text: str
    """Where in the image the licence's own text is."""
    needs: frozenset[str] = frozenset()
    """Names of what it asks for, of its own kind."""
    is_expression: bool = False
    """Whether the licence is an SPDX expression."""

    @property
    def ref(self) -> str:
        """What it is called within the document."""
        return self.purl or f"{self.kind}:{self.name}"

    def document(self) -> dict[str, Any]:
        """The component as CycloneDX has it."""
        found: dict[str, Any] = {"type": self.kind, "bom-ref": self.ref, "name": self.name}
        if self.version:
            found["version"] = self.version
        if self.purl:
            found["purl"] = self.purl
        if self.is_expression:
            found["licenses"] = [{"expression": self.licences[0]}]
        elif self.licences:
            found["licenses"] = [{"license": {"name": name}} for name in self.licences]
        return found


def canonical(name: str) -> str:
    """A Python package's name as the index writes it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def python_packages() -> Iterator[Component]:
    """Every distribution that this interpreter finds."""
    for each in distributions():
        name = canonical(each.metadata["Name"])
        expression = each.metadata[EXPRESSION]
        yield Component(
            "library",
            name,
            each.version,
            f"pkg:pypi/{name}@{quote(each.version, safe='')}",
            (expression,) if expression else named_licences(each),
            str(each.locate_file("")).rstrip("/") + f"/{folder_of(each)}",
            frozenset(needed(each)),
            bool(expression),
        )


def folder_of(package: Distribution) -> str:
    """The name of the folder with its metadata, where its licence's text is, too."""
    paths = (path.parts[0] for path in package.files or () if path.name == "METADATA")
    return next(paths, "")


def needed(package: Distribution) -> Iterator[str]:
    """The names of what it asks for, extras left out."""
    for line in package.requires or ():
        wanted, _, marker = line.partition(";")
        if "extra" not in marker:
            yield canonical(re.split(r"[^A-Za-z0-9._-]", wanted.strip(), maxsplit=1)[0])


def named_licences(package: Distribution) -> tuple[str, ...]:
    """The licences of an older package: its classifiers, else the first line of its own words."""
    classifiers = package.metadata.get_all("Classifier") or ()
    names = [line.split(" :: ")[-1] for line in classifiers if line.startswith(CLASSIFIER)]
    said = (package.metadata["License"] or "").strip().split("\n")[0]
    told = [name for name in names if name != "OSI Approved"] or ([said] if said else [])
    return tuple(told) or (NAMELESS,)


def debian_packages(folder: Path) -> Iterator[Component]:
    """Every package that dpkg has installed."""
    release = dict(
        re.findall(r'^(\w+)="?([^"\n]*)"?$', (folder / "os-release").read_text(), re.MULTILINE)
    )
    distribution = f"{release['ID']}-{release['VERSION_ID']}"
    for paragraph in (folder / "status").read_text("utf-8").split("\n\n"):
        fields = dict(re.findall(r"^([\w-]+): (.*)$", paragraph, re.MULTILINE))
        if fields.get("Status") != "install ok installed":
            continue
        name, version = fields["Package"], fields["Version"]
        asked = fields.get("Depends", "") + "," + fields.get("Pre-Depends", "")
        qualifiers = f"arch={fields['Architecture']}&distro={distribution}"
        place = f"{release['ID']}/{quote(name, safe='')}@{quote(version, safe='')}"
        yield Component(
            "library",
            name,
            version,
            f"pkg:deb/{place}?{qualifiers}",
            debian_licences(folder / name / "copyright"),
            f"/usr/share/doc/{name}/copyright",
            frozenset(re.split(r"[ :(]", one.strip())[0] for one in re.split(r"[,|]", asked)),
        )


def debian_licences(file: Path) -> tuple[str, ...]:
    """The short names in a copyright file, where it is written for machines."""
    try:
        text = file.read_text("utf-8", "replace")
    except OSError:
        return (f"see /usr/share/doc/{file.parent.name}/copyright",)
    written = text.lstrip().startswith("Format") and re.findall(
        r"^License: *(\S.*?)\s*$", text, re.MULTILINE
    )
    names = dict.fromkeys(written or ())
    return tuple(names) or (f"see /usr/share/doc/{file.parent.name}/copyright",)


def fonts(code: Path) -> Iterator[Component]:
    """The fonts that lie in the code, each beside its licence."""
    for file in sorted(code.rglob("*.ttf")):
        place = f"/opt/plumbline/{file.relative_to(code).with_suffix('.LICENSE.txt')}"
        text = file.with_suffix(".LICENSE.txt").read_text("utf-8")
        apache = "Apache License" in text
        licence = "Apache-2.0" if apache else f"see {place}"
        yield Component("file", file.name, "", "", (licence,), place, is_expression=apache)


def plumbline(target: str, code: Path) -> Component:
    """The image itself."""
    source = (code / "plumbline/__init__.py").read_text("utf-8")
    found = re.search(r'^__version__ = "(.*)"$', source, re.MULTILINE)
    if found is None:
        raise SystemExit(f"{code} has no plumbline/__init__.py that tells its version.")
    name = f"plumbline-{target}"
    return Component("container", name, found[1], "", ("Apache-2.0",), "", is_expression=True)


def document(image: Component, base: str, groups: Iterable[list[Component]]) -> dict[str, Any]:
    """The whole of it, as CycloneDX has it."""
    components, edges = list[dict[str, Any]](), list[dict[str, Any]]()
    for group in groups:
        refs = {each.name: each.ref for each in group}
        components += [each.document() for each in group]
        for each in group:
            there = sorted({refs[name] for name in each.needs if name in refs} - {each.ref})
            edges.append({"ref": each.ref, "dependsOn": there})
    top = {"ref": image.ref, "dependsOn": [each["bom-ref"] for each in components]}
    return {
        "$schema": f"http://cyclonedx.org/schema/bom-{SPEC_VERSION}.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": SPEC_VERSION,
        "version": 1,
        "metadata": {
            "component": image.document(),
            "properties": [{"name": "plumbline:base-image", "value": base}],
        },
        "components": components,
        "dependencies": [top, *edges],
    }


def listing(components: Iterable[Component]) -> str:
    """A line for each: name, version, licence, and where its text is."""
    lines = [
        "What is in this image beside Plumbline, under which licence, and where its text is.",
        "",
    ]
    for each in components:
        what = f"{each.name} {each.version}".strip()
        lines.append(f"{what}: {', '.join(each.licences)}; {each.text}")
    return "\n".join(lines) + "\n"


def main(target: str, base: str, facts: Path, out: Path) -> None:
    """Write both files."""
    groups = [
        sorted(debian_packages(facts / "debian"), key=lambda each: each.ref),
        sorted(python_packages(), key=lambda each: each.ref),
        list(fonts(facts / "plumbline")),
    ]
    out.mkdir(parents=True, exist_ok=True)
    whole = document(plumbline(target, facts / "plumbline"), base, groups)
    (out / "sbom.cdx.json").write_text(json.dumps(whole, indent=1) + "\n", "utf-8")
    (out / "licences.txt").write_text(listing(each for group in groups for each in group), "utf-8")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]), Path(sys.argv[4]))
