"""The data of a job's channels, as SageMaker copies it or sends it through a FIFO."""

from __future__ import annotations

import json
import random
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

MAGIC = 0xCED7230A
"""How each record of RecordIO begins."""

Request = Mapping[str, Any]
"""What `create_training_job` takes."""


def mode_of(request: Request, channel: Mapping[str, Any]) -> str:
    """The channel's own mode, or the job's."""
    usual = request.get("AlgorithmSpecification", {}).get("TrainingInputMode", "File")
    return str(channel.get("InputMode", usual))


def source(channel: Mapping[str, Any]) -> Mapping[str, Any]:
    """Where a channel's data comes from."""
    found: Mapping[str, Any] = channel["DataSource"]["S3DataSource"]
    return found


def local(uri: str) -> Path:
    """The path behind file://."""
    return Path(uri.removeprefix("file://"))


def objects(
    channel: Mapping[str, Any], host: str, hosts: Sequence[str]
) -> Iterator[tuple[Path, str]]:
    """The files below a channel's prefix that are this host's, and their names in the channel."""
    prefix = local(source(channel)["S3Uri"])
    files = [prefix] if prefix.is_file() else sorted(p for p in prefix.rglob("*") if p.is_file())
    above = prefix.parent if prefix.is_file() else prefix
    own = files
    if source(channel).get("S3DataDistributionType") == "ShardedByS3Key":
        own = files[list(hosts).index(host) :: len(hosts)]
    for file in own:
        yield file, file.relative_to(above).as_posix()


def pieces(
    channel: Mapping[str, Any], host: str, hosts: Sequence[str], epoch: int
) -> Iterator[bytes]:
    """What goes through the FIFO of an epoch."""
    framed = channel.get("RecordWrapperType") == "RecordIO"
    seed = channel.get("ShuffleConfig", {}).get("Seed")
    items = list(contents(channel, host, hosts))
    if seed is not None:
        random.Random(f"{seed} {epoch}").shuffle(items)  # noqa: S311 - as pseudo as the job asks
    for parts in items:
        for read in parts:
            data = read()
            yield from record(data) if framed else (data,)


def contents(
    channel: Mapping[str, Any], host: str, hosts: Sequence[str]
) -> Iterator[list[Callable[[], bytes]]]:
    """What belongs together: an object, or the attributes of a line of an augmented manifest."""
    if source(channel).get("S3DataType") != "AugmentedManifestFile":
        for file, _ in objects(channel, host, hosts):
            yield [file.read_bytes]
        return
    for line in local(source(channel)["S3Uri"]).read_text("utf-8").splitlines():
        document = json.loads(line) if line.strip() else {}
        names = [name for name in source(channel)["AttributeNames"] if name in document]
        yield [attribute(name, document[name]) for name in names]


def attribute(name: str, value: Any) -> Callable[[], bytes]:
    """The bytes behind an address if the name ends with -ref, else the value's own text."""
    if name.endswith("-ref"):
        return local(value).read_bytes
    text = value if isinstance(value, str) else json.dumps(value)
    return text.encode


def record(data: bytes) -> Iterator[bytes]:
    """A record of RecordIO, split where the magic word stands at a multiple of four."""
    magic = struct.pack("<I", MAGIC)
    cuts = [at for at in range(0, len(data) - 3, 4) if data[at : at + 4] == magic]
    starts, ends = [0, *(at + 4 for at in cuts)], [*cuts, len(data)]
    for number, (start, end) in enumerate(zip(starts, ends, strict=True)):
        kind = 0 if not cuts else 1 if number == 0 else 3 if number == len(cuts) else 2
        part = data[start:end]
        yield struct.pack("<II", MAGIC, kind << 29 | len(part)) + part + bytes(-len(part) % 4)
