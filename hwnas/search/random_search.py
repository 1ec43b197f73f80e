"""Random search: the baseline that every other algorithm must beat."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from hwnas.objectives import Floats
from hwnas.search.base import Optimiser, Problem
from hwnas.spaces.base import Archs


class RandomSearch(Optimiser):
    """Every choice is drawn uniformly; nothing is proposed twice, and cheap constraints are met by rejection."""

    description: ClassVar[str] = "draws architectures at random: the baseline"
    paper: ClassVar[str] = "Li and Talwalkar, Random Search and Reproducibility for Neural Architecture Search, UAI 2019"

    def __init__(self, problem: Problem, rng: np.random.Generator, *, batch: int = 40) -> None:
        super().__init__(problem, rng)
        self.batch = batch

    def ask(self, n: int) -> Archs:
        """`n` architectures that were not proposed before."""
        return self.fresh(n)

    def tell(self, archs: Archs, values: Floats, violation: Floats) -> None:
        """Random search does not learn."""
