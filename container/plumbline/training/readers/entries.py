"""What readers give: where the bytes of each picture lie, and what is said of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from plumbline.training.errors import DataError
from plumbline.training.readers.recordio import records

Label = TypeVar("Label")
Other = TypeVar("Other")


@dataclass(frozen=True, slots=True)
class Entry(Generic[Label]):
    """A labelled picture: a file, or what a record of a file holds behind its header."""

    name: str
    """What messages call it."""
    file: Path
    label: Label
    record: int | None = None
    """The byte where its record begins."""
    skip: int = 0
    """The bytes of the record before the picture."""
    fault: str = ""
    """Why the picture can't be used, if that is known already; it counts as a bad one."""

    def labelled(self, label: Other) -> Entry[Other]:
        """The same picture with another label."""
        return Entry(self.name, self.file, label, self.record, self.skip, self.fault)

    def read(self) -> bytes:
        """The picture's bytes. Raises `DataError` if they can't be read or have a fault."""
        if self.fault:
            raise DataError(self.fault)
        try:
            with self.file.open("rb") as stream:
                if self.record is None:
                    return stream.read()
                stream.seek(self.record)
                return next(iter(records(stream, self.file.name))).data[self.skip :]
        except OSError as exc:
            raise DataError(f"{self.name} can't be read: {exc.strerror}.") from exc
        except StopIteration:
            raise DataError(f"{self.name} is gone: {self.file.name} was cut short.") from None


@dataclass(frozen=True)
class Labelled(Generic[Label]):
    """A channel's pictures in their own order, and the names of the classes if it tells them."""

    entries: Sequence[Entry[Label]]
    classes: tuple[str, ...] = ()
