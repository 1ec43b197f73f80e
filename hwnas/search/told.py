"""What an optimiser was told so far."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from hwnas.front import Mask, non_dominated
from hwnas.objectives import Floats
from hwnas.search.base import Problem
from hwnas.spaces.base import Archs


class Told:
    """Architectures `(n, n_choices)`, their values `(n, m)` in minimisation form and their violations `(n,)`, in the order they came.

    Room is doubled where there is none left, so that what came before is not copied for every answer.
    """

    def __init__(self, problem: Problem) -> None:
        self._count = 0
        self._archs: Archs = np.empty((0, len(problem.space.choices)), dtype=np.int64)
        self._values: Floats = np.empty((0, len(problem.objectives)))
        self._violation: Floats = np.empty(0)

    def __len__(self) -> int:
        return self._count

    @property
    def archs(self) -> Archs:
        """The architectures, `(n, n_choices)`."""
        return self._archs[: self._count]

    @property
    def values(self) -> Floats:
        """Their values, `(n, m)`; NaN where there are none."""
        return self._values[: self._count]

    @property
    def violation(self) -> Floats:
        """How far they violate the constraints, `(n,)`."""
        return self._violation[: self._count]

    def add(self, archs: Archs, values: Floats, violation: Floats) -> None:
        """Append answers."""
        start, self._count = self._count, self._count + len(archs)
        if self._count > len(self._archs):
            room = max(2 * len(self._archs), self._count)
            self._archs, self._values, self._violation = (
                np.concatenate([old, np.empty((room - len(old), *old.shape[1:]), dtype=old.dtype)])
                for old in (self._archs, self._values, self._violation)
            )
        self._archs[start : self._count] = archs
        self._values[start : self._count] = values
        self._violation[start : self._count] = violation

    def learned(self) -> Mask:
        """Which rows have all values, shape `(n,)`."""
        return np.logical_not(np.isnan(self.values).any(axis=1))

    def front(self) -> npt.NDArray[np.intp]:
        """The rows that no other dominates, among those that meet the constraints; among all with values when none does."""
        learned = self.learned()
        feasible = learned & (self.violation == 0)
        rows = np.flatnonzero(feasible if feasible.any() else learned)
        return rows[non_dominated(self.values[rows])]
