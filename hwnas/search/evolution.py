"""Regularised evolution: the oldest dies, not the worst, so that what was lucky once does not stay."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import numpy.typing as npt

from device_profiles.errors import InputError
from hwnas.front import non_dominated
from hwnas.objectives import Floats
from hwnas.search.base import Optimiser, Problem
from hwnas.search.told import Told
from hwnas.spaces.base import Archs

Index = npt.NDArray[np.intp]

#: Attempts per child before random architectures fill what parents with known children cannot.
ATTEMPTS = 16


class RegularisedEvolution(Optimiser):
    """Each child is the best of a few random members of the population with one choice drawn again; the population is the latest ones.

    With several objectives the best is a random one of those in the sample that no other dominates. Architectures that failed or violate a
    constraint are parents only where the sample holds no others.
    """

    description: ClassVar[str] = "mutates the best of a sample of the youngest: simple, sturdy, needs many evaluations"
    paper: ClassVar[str] = "Real et al., Regularized Evolution for Image Classifier Architecture Search, AAAI 2019"

    def __init__(self, problem: Problem, rng: np.random.Generator, *, population: int = 32, sample: int = 8) -> None:
        super().__init__(problem, rng)
        if sample > population:
            raise InputError(f"evolution draws a sample from its population: {sample} of {population} is too many")
        self.population, self.sample = population, sample
        self.batch = population
        self._told = Told(problem)

    def ask(self, n: int) -> Archs:
        """The first population, then children of the youngest."""
        if len(self._told) < self.population:
            return self.first(min(n, self.population))
        parents = self._parents(ATTEMPTS * n)
        space = self.problem.space
        changed = parents.copy()
        columns = self._acting(parents)
        limits = space.cardinalities[columns]
        rows = np.arange(len(parents))
        step = self.rng.integers(1, np.maximum(limits, 2))  # another value, where there is one
        changed[rows, columns] = (parents[rows, columns] + step) % limits
        children = self.unseen(changed, n)
        return np.concatenate([children, self.fresh(n - len(children))])

    def tell(self, archs: Archs, values: Floats, violation: Floats) -> None:
        """The answers join the population; the oldest are forgotten."""
        self._told.add(archs, values, violation)
        if len(self._told) >= self.population:
            self.batch = max(self.population // 4, 1)  # the first population at once; then each child is to learn from the ones before

    def _parents(self, n: int) -> Archs:
        told = self._told
        young = np.arange(len(told) - self.population, len(told))
        usable = told.learned() & (told.violation == 0)
        found = []
        for drawn in self.rng.integers(0, self.population, (n, self.sample)):
            rows = young[drawn]
            rows = rows[usable[rows]] if usable[rows].any() else rows
            best = rows[non_dominated(told.values[rows])]
            found.append(self.rng.choice(best if len(best) else rows))
        return told.archs[found]

    def _acting(self, archs: Archs) -> Index:
        """One random choice of each row that does something and has more than one value, `(n,)`; any where there is none."""
        able = self.problem.space.active(archs) & (self.problem.space.cardinalities > 1)
        picked: Index = np.where(able, self.rng.random(archs.shape), -1.0).argmax(axis=1)
        return picked
