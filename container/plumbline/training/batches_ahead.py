"""Batches by epoch and step, the next one made while one is learnt."""

from __future__ import annotations

from abc import ABC, abstractmethod
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from plumbline.training.epoch_order import epoch_order
from plumbline.vision.arrays import Tensor

Batch = tuple[Tensor, Any, Tensor | None]


class BatchesAhead(ABC):
    """What `fitting.Batches` wants of `count` pictures, `size` at a time, in a seeded order."""

    def __init__(self, count: int, size: int, seed: int) -> None:
        self.count, self.size, self.seed = count, size, seed
        self._maker = ThreadPoolExecutor(1, "plumbline-batches")
        self._next: tuple[int, int, Future[Batch]] | None = None

    @property
    def steps(self) -> int:
        """Of an epoch; the last batch may be smaller."""
        return -(-self.count // self.size)

    def batch(self, epoch: int, step: int) -> Batch:
        """Pictures `[n, height, width, channels]`, what is to come out, and weights or nothing."""
        if self._next is not None and self._next[:2] == (epoch, step):
            found = self._next[2].result()
        else:
            found = self.make(epoch, step)
        follows = (epoch, step + 1) if step + 1 < self.steps else (epoch + 1, 0)
        self._next = (*follows, self._maker.submit(self.make, *follows))
        return found

    def chosen(self, epoch: int, step: int) -> Any:
        """The numbers of a batch's pictures, `[n]` int64."""
        order = epoch_order(self.count, self.seed, epoch)
        return order[step * self.size : (step + 1) * self.size]

    @abstractmethod
    def make(self, epoch: int, step: int) -> Batch:
        """One batch, here and now."""
