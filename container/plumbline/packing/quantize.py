"""The network in int8, by NNCF: quantised after training, in a process of its own."""

from __future__ import annotations

import importlib.util
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from plumbline.archive import npz_outputs
from plumbline.errors import PackingError
from plumbline.machine import child_process
from plumbline.packing.progress_bar import Reporter
from plumbline.settings.environment import child_environment
from plumbline.signature import Signature
from plumbline.spec.model_spec import Acceleration
from plumbline.vision.arrays import Tensor

COARSE = 1e-3
"""A budget below this is out of reach for values that are rounded to one of 256 levels."""

SECONDS = 900.0
"""After these quantisation is given up."""

RANKING_SECONDS = 240.0
"""For finding out which layers cost most; each is left in floats once."""

RESTORING_SECONDS = 240.0
"""For putting such layers back, group by group, until the rest agrees."""

MOST_RANKED, FEWEST_RANKED = 50, 8
"""So many pictures tell what a layer costs."""

MOST_ROUNDS, FEWEST_ROUNDS = 20, 4
"""So many groups of layers are put back into floats at most, one after the other."""


@dataclass(frozen=True)
class Pace:
    """Seconds that a network takes to be compiled, and for a picture; its layers with weights."""

    compiling: float
    picture: float
    layers: int

    @property
    def ranked_by(self) -> int:
        """How many pictures there is time to rank the layers by."""
        each = RANKING_SECONDS / max(1, self.layers) - self.compiling
        return max(FEWEST_RANKED, min(MOST_RANKED, int(each / self.picture)))

    def rounds(self, pictures: int) -> int:
        """How often there is time to look at all pictures again."""
        each = self.compiling + pictures * self.picture
        return max(FEWEST_ROUNDS, min(MOST_ROUNDS, int(RESTORING_SECONDS / each)))


@dataclass(frozen=True)
class Job:
    """A network of an archive's default model that is to be quantised to `target`.

    Of the `pictures`, `truths` are what the original's answers mean; the network is to agree with
    them to all but `max_drop`.
    """

    root: Path
    network: Path
    target: Path
    signature: Signature
    pictures: Sequence[Path]
    truths: Sequence[Tensor]
    max_drop: float


def refusal(budget: Acceleration) -> str:
    """Why int8 is not even tried, and what would change that; "" if it is."""
    if budget.max_difference < COARSE:
        return (
            f"[acceleration] max_difference = {budget.max_difference:g} is out of its reach; "
            "max_difference = inf and, say, min_agreement = 0.99 would let agreement decide"
        )
    if importlib.util.find_spec("nncf") is None:
        return (
            "it needs NNCF, which is not installed: pip install nncf in the environment that "
            "plumbline runs in (uv tool and pipx: install '.[tensorflow,quantization]')"
        )
    return ""


def quantize(job: Job, reporter: Reporter) -> None:
    """Write the quantised network. Raises `PackingError` where that fails, or takes too long."""
    heard: dict[str, str] = {}
    with (
        tempfile.TemporaryDirectory(prefix="plumbline-quantize-") as folder,
        reporter.stage("Quantising to int8", len(job.pictures), "pictures") as done,
    ):

        def listen(message: Mapping[str, str]) -> None:
            heard.update(message)
            if "done" in message:
                done(message["done"])

        truths = Path(folder, "truths.npz")
        npz_outputs.save(truths, {str(number): truth for number, truth in enumerate(job.truths)})
        request = request_of(job, truths)
        module = "plumbline.packing.quantize_process"
        ending = child_process.run(module, request, listen, child_environment, SECONDS)
    if "error" in heard:
        raise PackingError(heard["error"])
    if ending.status:
        raise PackingError(f"its process {ending.words}; {SECONDS:.0f} seconds are the most it has")


def request_of(job: Job, truths: Path) -> dict[str, object]:
    """The job as JSON."""
    return {
        "root": str(job.root),
        "network": str(job.network),
        "target": str(job.target),
        "signature": asdict(job.signature),
        "pictures": [str(picture.resolve()) for picture in job.pictures],
        "truths": str(truths),
        "max_drop": job.max_drop,
    }
