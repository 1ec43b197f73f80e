"""FLASH's scalarisation: several objectives and their constraints as one number."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hwnas.objectives import Floats
from hwnas.search.base import Problem

#: What a violated constraint costs before its size is added: more than any product of objectives is apart.
BROKEN = 1e6
#: The largest violation that still counts, and the smallest value that has a logarithm here.
FAR, TINY = 1e6, 1e-300


@dataclass(frozen=True)
class Product:
    """The logarithm of a product of powers, minimised: with exponents of 1 that of latency x energy x area / accuracy, as in the paper.

    An objective that is not above 0 has no logarithm and enters as its place between the smallest and the largest seen. `base` and `scale`
    turn a natural value (or its logarithm) into that place; `exponents` `(m,)` are positive.
    """

    problem: Problem
    logarithmic: npt.NDArray[np.bool_]
    base: Floats
    scale: Floats
    exponents: Floats

    @classmethod
    def of(cls, problem: Problem, seen: Floats) -> Product:
        """All exponents 1; `seen` are natural values `(k, m)` of some architectures, of which those that are not finite are left out."""
        known = seen[np.isfinite(seen).all(axis=1)]
        known = known if len(known) else np.ones((1, seen.shape[1]))
        logarithmic = np.asarray((known > 0).all(axis=0))
        span = np.ptp(known, axis=0)
        scale = np.where(logarithmic | (span == 0), 1.0, span)
        return cls(problem, logarithmic, np.where(logarithmic, 0.0, known.min(axis=0)), scale, np.ones(seen.shape[1]))

    def weighted(self, seen: Floats, weights: Floats) -> Product:
        """Other exponents: `weights` `(m,)` where each objective varies as much as any other over the natural values `seen` `(k, m)`."""
        known = seen[np.isfinite(seen).all(axis=1)]
        spread = self._terms(known).std(axis=0) if len(known) else np.ones(len(weights))
        return Product(self.problem, self.logarithmic, self.base, self.scale, weights / np.where(spread > 0, spread, 1.0))

    def __call__(self, values: Floats) -> Floats:
        """One finite number for each row of natural values `(k, m)`; a row that breaks a constraint is worse than all that do not.

        A row with a value that is not finite is worst.
        """
        sums = self._terms(values) @ self.exponents
        violation = self.violation(values)
        broken = BROKEN * (1.0 + np.minimum(violation, FAR))
        result = np.where(violation > 0, broken, np.clip(sums, -BROKEN / 2, BROKEN / 2))
        return np.where(np.isfinite(values).all(axis=1), result, BROKEN * (2.0 + FAR))

    def violation(self, values: Floats) -> Floats:
        """The sum of relative violations of the constraints, `(k,)`."""
        columns = {objective.name: i for i, objective in enumerate(self.problem.objectives)}
        total = np.zeros(len(values))
        for constraint in self.problem.constraints:
            total += constraint.violation(values[:, columns[constraint.name]])
        return total

    def _terms(self, values: Floats) -> Floats:
        """What each objective adds before its exponent, `(k, m)`, minimised."""
        finite = np.where(np.isfinite(values), values, 1.0)
        straight = np.where(self.logarithmic, np.log(np.maximum(finite, TINY)), finite)
        return (straight - self.base) / self.scale * self.problem.signs
