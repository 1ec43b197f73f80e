"""Strict fairness: every value of every choice is trained equally often."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch

from hwnas.spaces.base import Archs
from hwnas.supernet.base import Supernet
from hwnas.supernet.strategies.base import Batch, Pass, Strategy, supervised


@dataclass
class Fair(Strategy):
    """Every step trains as many sub-nets as the longest choice has values, drawn without replacement; the weights move once.

    Chu et al., FairNAS: Rethinking Evaluation Fairness of Weight Sharing Neural Architecture Search, ICCV 2021, section 3.3 (algorithm 1).
    The paper's choices have equally many values. Here every choice has a queue of permutations of its own, which goes on from step to step:
    at any time any two of its values have been drawn equally often, or once apart.
    """

    name: ClassVar[str] = "fair"

    def __post_init__(self) -> None:
        self._queues: list[list[int]] = []

    def step(self, supernet: Supernet, batch: Batch) -> list[Pass]:
        """One pass per sub-net."""
        passes = []
        for arch in supernet.space.canonical(self._draw(supernet.space.cardinalities.tolist(), batch.rng)):
            supernet.activate(arch)
            passes.append(supervised(supernet, batch)[0])
        return passes

    def _draw(self, values: list[int], rng: np.random.Generator) -> Archs:
        """The next rows of choice indices, `(longest choice, n_choices)`."""
        rows = max(values)
        self._queues = self._queues or [[] for _ in values]
        for queue, number in zip(self._queues, values, strict=True):
            while len(queue) < rows:
                queue.extend(rng.permutation(number).tolist())
        result = np.array([queue[:rows] for queue in self._queues], dtype=np.int64).T
        self._queues = [queue[rows:] for queue in self._queues]
        return result

    def state(self) -> dict[str, torch.Tensor]:
        """What is left in each queue."""
        return {f"queue{i:04d}": torch.tensor(queue, dtype=torch.int64) for i, queue in enumerate(self._queues)}

    def load_state(self, state: dict[str, torch.Tensor]) -> None:
        """The inverse of `state`."""
        self._queues = [state[name].tolist() for name in sorted(state)]
