"""FLASH: hierarchical SHGO over a product of the objectives, accuracy by NN-Degree."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import numpy as np

from hwnas.accuracy.degree_accuracy import FEWEST, DegreeAccuracy
from hwnas.accuracy.nn_degree import NNDegree, has_degree
from hwnas.objectives import Floats
from hwnas.search.additive import Additive
from hwnas.search.base import Optimiser, Problem
from hwnas.search.estimate import estimate
from hwnas.search.hierarchy import hierarchical
from hwnas.search.looked import Looked
from hwnas.search.product import Product
from hwnas.search.told import Told
from hwnas.spaces.base import Archs

#: Random architectures that show how much each objective varies; answers, the latest, on which an expensive objective is modelled.
SCALE, ROWS = 64, 256
#: Architectures proposed after one search: its winner, and what else it saw on the front.
PROPOSED = 8
#: Searches in a row that may end among known architectures before random ones are proposed.
TRIES = 3

Model = Callable[[Archs], Floats]


class Flash(Optimiser):
    """Searches the objectives directly where they are cheap, and proposes the winner and the front of all that was looked at.

    One number is minimised, the logarithm of a product, see `Product`: at first latency x energy x ... / accuracy as in the paper, then,
    one search after the other, with exponents drawn anew, which lead to other places of the front. An expensive objective is modelled on
    what was told, after `initial` architectures (the smallest, the largest, random ones), and again whenever more is told: an accuracy by
    NN-Degree where the space has one, anything else as a sum over parts. `samples` are those of each SHGO.
    """

    description: ClassVar[str] = (
        "hierarchical SHGO over a product of the objectives, accuracy by NN-Degree: one good design in a tenth of a second"
    )
    paper: ClassVar[str] = "Li et al., FLASH: Fast Neural Architecture Search with Hardware Optimization, ACM TECS 2021"

    def __init__(self, problem: Problem, rng: np.random.Generator, *, initial: int = 25, samples: int = 16) -> None:
        super().__init__(problem, rng)
        self.initial, self.samples = max(initial, FEWEST), samples
        self._unknown = [i for i, objective in enumerate(problem.objectives) if objective.expensive]
        self.batch = self.initial if self._unknown else PROPOSED
        self._told = Told(problem)
        self._models: list[Model] = []
        self._seen_values = np.empty((0, len(problem.objectives)))
        self._product: Product | None = None

    def ask(self, n: int) -> Archs:
        """What a search finds; random architectures until there is enough to model, and when searches find nothing new."""
        if not self._ready():
            return self.first(n)
        if not self._models:
            self._refit()
        for _ in range(TRIES):
            asked = self.unseen(self._search(), min(n, PROPOSED))
            if len(asked):
                return asked
        return self.fresh(n)

    def tell(self, archs: Archs, values: Floats, violation: Floats) -> None:
        """Keep the answers; what is modelled is modelled again when asked next."""
        self._told.add(archs, values, violation)
        if self._unknown:
            self._models = []
        if len(self._told) >= self.initial:
            self.batch = PROPOSED  # the first ones at once; then each search is to learn from the one before

    def _ready(self) -> bool:
        """Whether every expensive objective has answers enough to be modelled."""
        known = np.isfinite(self._told.values[:, self._unknown]).sum(axis=0)
        return not self._unknown or (len(self._told) >= self.initial and bool((known >= FEWEST).all()))

    def _refit(self) -> None:
        """A model for every objective; how much they vary is looked at once."""
        self._models = [self._model(i) for i in range(len(self.problem.objectives))]
        if not len(self._seen_values):
            self._seen_values = self._natural(self.problem.feasible_sampler(SCALE, self.rng))

    def _model(self, i: int) -> Model:
        """Objective `i` as a function from architectures to natural values `(k,)`."""
        objective, space = self.problem.objectives[i], self.problem.space
        if not objective.expensive:
            return lambda archs: estimate(objective, archs)[0].values
        rows = np.flatnonzero(np.isfinite(self._told.values[:, i]))[-ROWS:]
        archs, values = self._told.archs[rows], objective.sign * self._told.values[rows, i]
        is_accuracy = objective.direction == "max" and objective.bounds == (0.0, 1.0)
        if is_accuracy and has_degree(space) and (values > 0).all() and np.ptp(NNDegree(space)(archs)) > 0:
            fitted = DegreeAccuracy(space).fit(archs, values)
            return lambda archs: fitted.predict(archs).values
        return Additive.fit(space, archs, values)

    def _natural(self, archs: Archs) -> Floats:
        """Every objective of canonical architectures, modelled or as it is, `(k, m)`."""
        return np.column_stack([model(archs) for model in self._models])

    def _search(self) -> Archs:
        """One hierarchical search; all that it looked at and that meets the constraints, the winner first, then front by front."""
        if self._product is None:
            product = self._product = Product.of(self.problem, self._seen_values)
        else:
            weights = self.rng.dirichlet(np.ones(len(self._models)))
            product = self._product.weighted(self._seen_values, weights)
        looked = Looked(self.problem, self._natural, product)
        best = hierarchical(self.problem.space, looked, self.samples, self.rng)
        return looked.in_order(best, self._seen, PROPOSED)
