"""Less sharing: several sets of weights, each shared by one group of architectures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch

from device_profiles.errors import InputError, unknown
from hwnas.spaces.base import Archs, SearchSpace
from hwnas.supernet.base import Supernet
from hwnas.supernet.grouped import GroupedSupernet
from hwnas.supernet.grouping import BY, Grouping, children
from hwnas.supernet.strategies.base import Batch, Pass, Strategy, supervised

#: In which order sub-nets take their turns: drawn anew each time, the same shuffled round again and again, or every round shuffled anew.
ORDERS = ("uniform", "fixed", "reshuffled")


@dataclass
class Grouped(Strategy):
    """`groups` sets of weights instead of one; every step trains one sub-net with the weights of its group.

    Zhang et al., Deeper Insights into Weight Sharing in Neural Architecture Search, 2020 (arXiv 2001.01431), section 5: from one set for
    all (`groups=1`) to stand-alone weights (as many groups as architectures), grouped `by` similarity (neighbours in the order of the first
    choices) or at random; of the pieces of the network (stem, blocks or cells, head), the first `prefix` are shared by all groups (prefix
    sharing). `order` is the order of turns; all but "uniform" need a space that can be listed.
    """

    name: ClassVar[str] = "grouped"

    groups: int = 4
    by: str = "similar"
    prefix: int = 0
    order: str = "uniform"
    seed: int = 0

    def __post_init__(self) -> None:
        if self.groups < 1 or self.prefix < 0 or self.seed < 0:
            raise InputError(f"grouped needs groups >= 1, prefix >= 0 and seed >= 0, got {self.groups}, {self.prefix} and {self.seed}")
        if self.by not in BY:
            raise unknown("grouping", self.by, BY)
        if self.order not in ORDERS:
            raise unknown("order", self.order, ORDERS)
        self._steps = 0
        self._round: tuple[int, Archs] | None = None

    def supernet(self, space: SearchSpace) -> Supernet:
        """As many super-networks as groups, behind one."""
        return GroupedSupernet(space, Grouping(space, self.groups, self.by, self.seed), self.prefix)

    def step(self, supernet: Supernet, batch: Batch) -> list[Pass]:
        """One pass of the sub-net whose turn it is."""
        supernet.activate(self._next(supernet.space, batch.rng))
        self._steps += 1
        return [supervised(supernet, batch)[0]]

    def _next(self, space: SearchSpace, rng: np.random.Generator) -> Archs:
        if self.order == "uniform":
            return space.sample(1, rng)
        everyone = len(children(space)) if self._round is None else len(self._round[1])
        number, place = divmod(self._steps, everyone)
        number = number if self.order == "reshuffled" else 0
        if self._round is None or self._round[0] != number:
            listed = children(space)
            self._round = (number, listed[np.random.default_rng([self.seed, number]).permutation(len(listed))])
        row: Archs = self._round[1][place]
        return row

    def state(self) -> dict[str, torch.Tensor]:
        """The number of turns taken."""
        return {"steps": torch.tensor(self._steps)}

    def load_state(self, state: dict[str, torch.Tensor]) -> None:
        """The inverse of `state`."""
        self._steps, self._round = int(state["steps"]), None
