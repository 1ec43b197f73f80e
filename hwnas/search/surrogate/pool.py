"""The architectures among which a surrogate looks for the next ones, with what is known of them for free."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from hwnas.objectives import Floats
from hwnas.search.base import Problem
from hwnas.search.estimate import estimate
from hwnas.search.feasible import enumerate_space
from hwnas.spaces.base import Archs

#: Random architectures in the pool of a space too large to enumerate, and changed copies of each good one.
RANDOM, CHANGED = 1024, 64


@runtime_checkable
class Described(Protocol):
    """A space that says what matters of its architectures."""

    def features(self, archs: Archs) -> Floats:
        """Numbers that describe `(n, n_choices)` canonical architectures, shape `(n, f)`."""
        ...


@dataclass(frozen=True)
class Pool:
    """Canonical architectures `(n, n_choices)` with their raw features `(n, f)` and known costs `(n, d)`, minimised."""

    archs: Archs
    features: Floats
    costs: Floats

    def __len__(self) -> int:
        return len(self.archs)

    def standardised(self, other: Pool) -> Floats:
        """The features of another pool for a model, shape `(n, f + d)`: on the scale of this one, with the costs' ranks among its costs."""
        spread = self.features.std(axis=0)
        scaled = (other.features - self.features.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
        ranks = [np.searchsorted(np.sort(mine), theirs) / len(self) for mine, theirs in zip(self.costs.T, other.costs.T, strict=True)]
        # Ranks are uniform; times the root of 12 their standard deviation is 1.
        return np.column_stack([scaled, *(np.sqrt(12.0) * (rank - 0.5) for rank in ranks)])

    @cached_property
    def keys(self) -> tuple[bytes, ...]:
        """What tells its rows apart."""
        return tuple(row.tobytes() for row in self.archs)

    def take(self, index: npt.NDArray[np.intp]) -> Pool:
        """Some of its rows."""
        return Pool(self.archs[index], self.features[index], self.costs[index])


class Pools:
    """Makes pools: the whole space, feasible as far as cheap objectives tell, where that is small; else samples and the good ones' kin."""

    def __init__(self, problem: Problem, known: list[int], rng: np.random.Generator, whole: bool = True) -> None:
        self.problem, self.known, self.rng = problem, known, rng
        everything = enumerate_space(problem.space) if whole else None
        if everything is not None:
            everything = everything[problem.feasible_sampler.feasible(everything)]
        self._all = None if everything is None else self.describe(everything)

    def describe(self, archs: Archs) -> Pool:
        """What is known of `(n, n_choices)` canonical architectures."""
        space, objectives = self.problem.space, self.problem.objectives
        raw = space.features(archs) if isinstance(space, Described) else _choices(archs, space.cardinalities, space.active(archs))
        costs = [objectives[i].sign * estimate(objectives[i], archs)[0].values for i in self.known]
        return Pool(archs, raw, np.column_stack(costs) if costs else np.empty((len(archs), 0)))

    def __call__(self, good: Archs) -> Pool:
        """The candidates now, given the best architectures so far, `(k, n_choices)`."""
        if self._all is not None:
            return self._all
        archs = np.concatenate([self.problem.feasible_sampler(RANDOM, self.rng), self._changed(np.repeat(good, CHANGED, axis=0))])
        archs = np.unique(archs, axis=0)
        pool = self.describe(archs[self.problem.feasible_sampler.feasible(archs)])
        return pool.take(np.flatnonzero(np.isfinite(pool.costs).all(axis=1)))

    def _changed(self, archs: Archs) -> Archs:
        """Each row with one choice drawn again, or a few."""
        limits = self.problem.space.cardinalities
        chance = self.rng.choice([1.0, 2.0, 4.0], size=(len(archs), 1)) / len(limits)
        changed = np.where(self.rng.random(archs.shape) < chance, self.rng.integers(0, limits, archs.shape), archs)
        return self.problem.space.canonical(changed) if len(archs) else archs


def _choices(archs: Archs, limits: npt.NDArray[np.int64], active: npt.NDArray[np.bool_]) -> Floats:
    """Every choice as its place between the first and the last value, and whether it acts; shape `(n, f)`."""
    place = np.where(active, (archs + 1.0) / limits, 0.0)
    return place[:, limits > 1] if (limits > 1).any() else place
