"""What the server would make of an archive, found without serving it."""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from plumbline.archive import manifest
from plumbline.archive.contents import Archive, open_archive, read_text
from plumbline.archive.discovery import ModelFile
from plumbline.archive.saved_model import no_signature
from plumbline.engines.model_io import signatures_of
from plumbline.errors import SpecError
from plumbline.loading.golden_check import check_decodable
from plumbline.pipeline.model_inputs import check_pictures, decodes_itself, image_size
from plumbline.pipeline.picture_view import seen
from plumbline.signature import ABSENT, Signature, TensorSpec, meant_by
from plumbline.spec.checks import FILE
from plumbline.tasks.task_table import fitted, suited


@dataclass(frozen=True)
class Inspection:
    """All that was found; `declared` is plumbline.toml as it stands, {} where there is none."""

    archive: Archive
    reader: str
    signatures: Mapping[str, Signature]
    declared: Mapping[str, Any]
    verified: bool
    specs: Sequence[Path] = ()
    """The plumbline.toml that each model's serving follows, where there is one."""

    @property
    def signature(self) -> Signature:
        """The signature that requests are answered by."""
        return meant_by(self.archive.spec.model.signature, self.signatures) or ABSENT

    @property
    def no_pictures(self) -> str | None:
        """Why the model takes no pictures, or None if it does."""
        return check_pictures(self.archive.spec, self.signature)

    @property
    def size(self) -> tuple[int, int] | None:
        """The (height, width) that pictures are brought to; None if they are left as they are."""
        if self.no_pictures or decodes_itself(self.target):
            return None
        return image_size(self.archive.spec, self.target)

    @property
    def target(self) -> TensorSpec:
        """The input that pictures go to, as they see it."""
        return seen(self.archive.spec, self.signature).input()


def inspect(root: Path, allow_ops: Collection[str] = ()) -> Inspection:
    """What the folder `root` would be served as. Raises the `ModelError` that loading would."""
    verified = manifest.verify(root)
    archive = open_archive(root, allow_ops=allow_ops)
    described = [(each, *signatures_of(each.model, each)) for each in archive.singly()]
    for each, _, found in described:
        check_fit(each, each.model, found)
    first, reader, signatures = described[0]
    meant = meant_by(first.spec.model.signature, signatures) or ABSENT
    spec = suited(first.spec, seen(first.spec, meant))
    check_decodable(archive, spec, meant)
    served = replace(
        first,
        spec=spec,
        root=root,
        models=archive.models,
        code=archive.code,
        not_run=archive.not_run,
    )
    specs = [each.root / FILE for each, *_ in described if (each.root / FILE).is_file()]
    return Inspection(served, reader, signatures, declared_in(first.root), verified, specs)


def check_fit(archive: Archive, model: ModelFile, signatures: Mapping[str, Signature]) -> None:
    """Raise `SpecError` if what the archive declares can't be done with one of its models."""
    chosen = archive.spec.model.signature
    signature = meant_by(chosen, signatures)
    if signature is None:
        raise SpecError(f"{model.name}/{model.version}: {no_signature(chosen, signatures)}")
    as_pictures = seen(archive.spec, signature)
    spec = suited(archive.spec, as_pictures)
    fitted(spec, archive.labels, as_pictures)
    check_pictures(spec, signature)


def declared_in(root: Path) -> Mapping[str, Any]:
    """What plumbline.toml says, as it stands there."""
    file = root / FILE
    return tomllib.loads(read_text(file)) if file.is_file() else {}
