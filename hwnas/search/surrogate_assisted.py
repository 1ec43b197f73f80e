"""Surrogate-assisted search: what is free to know is known of every candidate, what is expensive is modelled, and refitted as it comes."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import numpy.typing as npt

from hwnas.front import Mask, non_dominated
from hwnas.objectives import Floats
from hwnas.search.base import Optimiser, Problem, failed
from hwnas.search.surrogate.gaussian_process import GaussianProcess
from hwnas.search.surrogate.improvement import POINTS, Cells, expected_improvement, largest
from hwnas.search.surrogate.pool import Pool, Pools
from hwnas.search.told import Told
from hwnas.spaces.base import Archs

#: A refit may be waited for once per this share of the evaluations done, so that fitting does not outgrow evaluating.
SHARE = 1 / 24
#: Points that a model is fitted on at most.
FITTED = 256
#: The quantile of the first values beyond which worse is no loss, where the problem has no reference.
WORST = 0.9
#: The share of the modelled deviation that is believed: architectures that hardly learn make it too large for those that matter. Chosen on
#: three of the recorded devices of NAS-Bench-201.
BELIEVED = 0.7
#: The largest deviation of a logarithm: by a factor of 20.
WIDEST = 3.0
TINY = 1e-9


class SurrogateAssisted(Optimiser):
    """Evaluates next what is expected to add most hypervolume.

    Cheap objectives are known for every candidate. The first expensive one is modelled by a Gaussian process over the features of the space
    and the known costs; further expensive ones are taken at their modelled means. Starts with `initial` architectures: the smallest, the
    largest and random ones. Of several asked for at once, each counts as evaluated as predicted when the next is chosen.
    """

    description: ClassVar[str] = "models what is expensive and evaluates what should add most hypervolume: the fewest evaluations"
    paper: ClassVar[str] = (
        "Emmerich et al., Single- and Multiobjective Evolutionary Optimization Assisted by Gaussian Processes, IEEE TEVC 2006"
    )

    def __init__(self, problem: Problem, rng: np.random.Generator, *, initial: int = 12) -> None:
        super().__init__(problem, rng)
        self.initial = initial
        self._unknown = [i for i, objective in enumerate(problem.objectives) if objective.expensive]
        self._main = self._unknown[0] if self._unknown else 0
        self._costs = [i for i in range(len(problem.objectives)) if i != self._main]
        self._pools = Pools(problem, [i for i in range(len(problem.objectives)) if i not in self._unknown], rng)
        self._models: dict[int, GaussianProcess] = {}
        self._corner = None if problem.reference is None else problem.signs * np.array(problem.reference)
        self._points = rng.random((POINTS, len(self._costs)))
        self._told = Told(problem)

    def ask(self, n: int) -> Archs:
        """At first mostly random architectures, then one, and more at a time the more were evaluated."""
        if len(self._told) < self.initial or not self._told.learned().any():
            return self.first(min(n, max(self.initial - len(self._told), 1)))
        pool = self._pools(self._told.archs[self._told.front()])
        wanted = min(n, max(1, int(SHARE * len(self._told))))
        asked = self.unseen(self._choose(pool, np.array([key not in self._seen for key in pool.keys]), wanted))
        return np.concatenate([asked, self.fresh(wanted - len(asked))])

    def tell(self, archs: Archs, values: Floats, violation: Floats) -> None:
        """Keep the answers; a failed architecture counts as the worst there is when models are fitted."""
        self._told.add(archs, values, violation)

    def _choose(self, everything: Pool, new: Mask, wanted: int) -> Archs:
        """At most `wanted` of the architectures of a pool that are `new`, one after the other."""
        if not new.any():
            return everything.archs[:0]
        pool = everything.take(np.flatnonzero(new))
        floor, worst = self._scale()
        means, deviation = self._predict(pool, everything, floor)
        costs = np.column_stack([means[:, i] for i in self._costs]) if self._costs else np.empty((len(pool), 0))
        front = self._told.front()
        told, best = self._told.values[front][:, self._costs], self._told.values[front, self._main] - floor
        corner = np.quantile(costs, 0.999, axis=0) if self._corner is None else self._corner[self._costs]
        points = costs.min(axis=0) + self._points * (corner - costs.min(axis=0))

        def gain(rows: npt.NDArray[np.intp]) -> Floats:
            """By how much each row is expected to improve the front that is told and chosen so far."""
            cells = Cells.of(told, best, costs[rows], corner, worst, points)
            return expected_improvement(cells, means[rows, self._main], deviation[rows])

        gains = gain(np.arange(len(pool)))
        chosen = [int(gains.argmax())]
        while len(chosen) < min(wanted, len(pool)):
            gains[chosen[-1]] = -1.0
            told, best = np.vstack([told, costs[chosen[-1]]]), np.append(best, np.exp(means[chosen[-1], self._main]))
            chosen.append(largest(gains, gain))
        return pool.archs[chosen]

    def _scale(self) -> tuple[float, float]:
        """What is subtracted from the main objective so that it is positive, and the worst value, above that, worth improving on."""
        objective, values = self.problem.objectives[self._main], self._told.values[self._told.learned(), self._main]
        ends = [] if objective.bounds is None else [objective.sign * bound for bound in objective.bounds]
        floor = min(ends) if ends and np.isfinite(min(ends)) else float(values.min() - values.std() - 1e-9)
        # Of the random architectures at the start: those that were chosen later are better and better.
        worst = float(np.quantile(values[: self.initial], WORST)) if self._corner is None else float(self._corner[self._main])
        return floor, max(worst - floor, TINY)

    def _predict(self, pool: Pool, everything: Pool, floor: float) -> tuple[Floats, Floats]:
        """Every objective of the pool, `(n, m)`, the main one as the logarithm of its height above `floor`; and that one's deviation."""
        means, deviation = np.empty((len(pool), len(self.problem.objectives))), np.full(len(pool), TINY)
        known = iter(pool.costs.T)
        rows = self._fitted()
        told = self._pools.describe(self._told.archs[rows])
        x, new = everything.standardised(told), everything.standardised(pool)
        for i in range(means.shape[1]):
            if i not in self._unknown:
                means[:, i] = next(known)
                if i == self._main:
                    means[:, i] = np.log(np.maximum(means[:, i] - floor, TINY))
                continue
            values = self._told.values[rows, i]
            values = np.where(np.isfinite(values), values, np.nanmax(self._told.values[:, i]))
            values = np.log(np.maximum(values - floor, TINY)) if i == self._main else values
            model = self._models.setdefault(i, GaussianProcess(x.shape[1], self.rng))
            mean, spread = model.fit(x, values).predict(new)
            means[:, i] = mean
            deviation = np.clip(BELIEVED * spread, TINY, WIDEST) if i == self._main else deviation
        return means, deviation

    def _fitted(self) -> npt.NDArray[np.intp]:
        """The told rows on which models are fitted: those with values or failures; of many the layers next to the front and the latest."""
        rows = np.flatnonzero(self._told.learned() | failed(self._told.values, self._told.violation))
        if len(rows) <= FITTED:
            return rows
        latest, left = rows[-FITTED // 4 :], rows[: -FITTED // 4]
        near: list[npt.NDArray[np.intp]] = []
        while len(left) and sum(map(len, near)) < FITTED - len(latest):
            layer = non_dominated(self._told.values[left])
            if not layer.any():  # only failures are left
                break
            near.append(left[layer])
            left = left[~layer]
        return np.sort(np.concatenate([*near, latest])[-FITTED:] if near else latest)
