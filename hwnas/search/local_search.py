"""Local search: every neighbour of what is best so far, until nothing next to it is better."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from hwnas.objectives import Floats
from hwnas.search.base import Optimiser, Problem
from hwnas.search.neighbourhood import one_choice_away
from hwnas.search.told import Told
from hwnas.spaces.base import Archs


class LocalSearch(Optimiser):
    """Asks for the neighbours, one choice away, of architectures on the front whose neighbours were not asked for yet; then starts anew.

    It begins with `initial` architectures: the smallest, the largest and random ones. With several objectives this is Pareto local search:
    Paquete et al., Pareto Local Optimum Sets in the Biobjective Traveling Salesman Problem, 2004.
    """

    description: ClassVar[str] = "goes to all neighbours of the front: hard to beat on small spaces with smooth objectives"
    paper: ClassVar[str] = "White et al., Exploring the Loss Landscape in Neural Architecture Search, UAI 2021"

    def __init__(self, problem: Problem, rng: np.random.Generator, *, initial: int = 10) -> None:
        super().__init__(problem, rng)
        self.initial, self.batch = initial, initial
        self._told = Told(problem)
        self._expanded: set[bytes] = set()
        self._queue = np.empty((0, len(problem.space.choices)), dtype=np.int64)

    def ask(self, n: int) -> Archs:
        """The rest of the neighbours in hand; those of the next of the front; random architectures when there is none."""
        if not len(self._told):
            return self.first(n)
        if not len(self._queue):
            self._queue = self._neighbours()
        asked, self._queue = self._queue[:n], self._queue[n:]
        return asked if len(asked) else self.fresh(n)

    def tell(self, archs: Archs, values: Floats, violation: Floats) -> None:
        """Keep the answers."""
        self._told.add(archs, values, violation)

    def _neighbours(self) -> Archs:
        """What was never proposed next to one random member of the front, in random order; empty when all were expanded."""
        front = self._told.archs[self._told.front()]
        left = [row for row in front if row.tobytes() not in self._expanded]
        while left:
            centre = left.pop(int(self.rng.integers(len(left))))
            self._expanded.add(centre.tobytes())
            around = self.unseen(self.rng.permutation(one_choice_away(self.problem.space, centre[None])))
            if len(around):
                return around
        return front[:0]
