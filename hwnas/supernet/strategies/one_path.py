"""One sub-net per step, drawn uniformly."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from hwnas.supernet.base import Supernet
from hwnas.supernet.strategies.base import Batch, Pass, Strategy, supervised


@dataclass
class OnePath(Strategy):
    """Every step trains one sub-net, every choice drawn uniformly.

    Guo et al., Single Path One-Shot Neural Architecture Search with Uniform Sampling, ECCV 2020, section 3.2.
    """

    name: ClassVar[str] = "one_path"

    def step(self, supernet: Supernet, batch: Batch) -> list[Pass]:
        """One pass of one sub-net."""
        supernet.activate(supernet.space.sample(1, batch.rng))
        return [supervised(supernet, batch)[0]]
