"""What an optimiser was told so far."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from hwnas.front import Mask, non_dominated
from hwnas.objectives import Floats
from hwnas.search.base import Problem
from hwnas.spaces.base import Archs


class Told:
    """Architectures `(n, n_choices)`, their values `(n, m)` in minimisation form and their violations `(n,)`, in the order they came."""

    def __init__(self, problem: Problem) -> None:
        self.archs: Archs = np.empty((0, len(problem.space.choices)), dtype=np.int64)
        self.values: Floats = np.empty((0, len(problem.objectives)))
        self.violation: Floats = np.empty(0)

    def __len__(self) -> int:
        return len(self.archs)

    def add(self, archs: Archs, values: Floats, violation: Floats) -> None:
        """Append answers."""
        self.archs = np.concatenate([self.archs, archs])
        self.values = np.concatenate([self.values, values])
        self.violation = np.concatenate([self.violation, violation])

    def learned(self) -> Mask:
        """Which rows have all values, shape `(n,)`."""
        return np.logical_not(np.isnan(self.values).any(axis=1))

    def front(self) -> npt.NDArray[np.intp]:
        """The rows that no other dominates, among those that meet the constraints; among all with values when none does."""
        learned = self.learned()
        feasible = learned & (self.violation == 0)
        rows = np.flatnonzero(feasible if feasible.any() else learned)
        return rows[non_dominated(self.values[rows])]
