"""One architecture on its own: the truth that shared weights are measured against."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from hwnas.spaces.base import SearchSpace
from hwnas.supernet.alone import Alone
from hwnas.supernet.base import Architecture, Supernet
from hwnas.supernet.strategies.base import Batch, Pass, Strategy, supervised


@dataclass
class StandAlone(Strategy):
    """Trains one architecture (the largest when none is named) with weights that nothing else shares.

    The ground truth of weight-sharing studies: Yu et al., Evaluating the Search Phase of Neural Architecture Search, ICLR 2020,
    section 3.2.
    """

    name: ClassVar[str] = "stand_alone"

    architecture: Architecture = ()

    def __post_init__(self) -> None:
        self.architecture = tuple(self.architecture)

    def supernet(self, space: SearchSpace) -> Supernet:
        """The plain network of the architecture. Raises InputError when the space does not know it."""
        return Alone(space, self.architecture or space.largest()[0])

    def step(self, supernet: Supernet, batch: Batch) -> list[Pass]:
        """One pass."""
        return [supervised(supernet, batch)[0]]
