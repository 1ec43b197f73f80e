"""Expected hypervolume improvement where all objectives but one are known before an evaluation.

With known costs the improvement is an integral over the cost space: at every point of it the front has a best value so far, and a candidate
that costs no more improves on it by what it undercuts it. Expected improvement: Jones et al., Journal of Global Optimization 1998; of the
hypervolume: Emmerich et al., Towards Faster Multiobjective Optimization, 2008.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hwnas.objectives import Floats

#: Points that stand for the cost space where it has two dimensions or more.
POINTS = 128
#: Candidates computed again before it is looked whether any other can still have more.
AGAIN = 128


@dataclass(frozen=True)
class Cells:
    """Pieces of the cost space: the best value known in each, `(k,)`, and how much of each a candidate covers, `(n, k)`."""

    best: Floats
    covered: Floats

    @classmethod
    def of(cls, costs: Floats, values: Floats, candidates: Floats, corner: Floats, worst: float, points: Floats) -> Cells:
        """Cells for `(n, d)` candidate costs, given evaluated `(m, d)` costs and `(m,)` values, all minimised.

        `corner`, `(d,)`, bounds the costs, `worst` the values. With d = 1 the cells are the exact steps of the front; with more, `points`,
        `(k, d)`, are drawn uniformly from the cost space and every one stands for its share of it.
        """
        if costs.shape[1] == 1:
            return _steps(costs[:, 0], values, candidates[:, 0], float(corner[0]), worst)
        points = points if costs.shape[1] else points[:1]  # no costs: one cell, in which the best value counts
        within = (costs[:, None] <= points[None]).all(axis=2)
        best = np.where(within, values[:, None], worst).min(axis=0)
        reaches = np.asarray((candidates[:, None] <= points[None]).all(axis=2), dtype=np.float64)
        return cls(np.minimum(best, worst), reaches / max(len(points), 1))


def _steps(costs: Floats, values: Floats, candidates: Floats, corner: float, worst: float) -> Cells:
    order = np.lexsort((values, costs))
    costs, values = costs[order], np.minimum(values[order], worst)
    below = np.minimum.accumulate(np.append(worst, values))
    drops = np.flatnonzero(below[1:] < below[:-1])
    left = np.concatenate([[-np.inf], costs[drops]])
    right = np.concatenate([costs[drops], [corner]])
    width = np.minimum(right, corner) - np.maximum(left, candidates[:, None])
    return Cells(np.append(worst, values[drops]), np.maximum(width, 0.0))


def expected_improvement(cells: Cells, mean: Floats, deviation: Floats) -> Floats:
    """The expected volume that each candidate adds, shape `(n,)`; the logarithm of its value is normal with `(n,)` mean and deviation."""
    from scipy.special import ndtr

    centre = np.exp(mean + 0.5 * deviation**2)
    total = np.zeros(len(mean))
    for best, covered in zip(cells.best, cells.covered.T, strict=True):
        some = np.flatnonzero(covered > 0)
        z = (np.log(best) - mean[some]) / deviation[some]
        total[some] += covered[some] * (best * ndtr(z) - centre[some] * ndtr(z - deviation[some]))
    return np.maximum(total, 0.0)


def largest(gains: Floats, gain: Callable[[npt.NDArray[np.intp]], Floats]) -> int:
    """The candidate that adds most now, the first of equals; `gains`, `(n,)`, is what each added before, and is brought up to date in part.

    `gain` computes rows anew. What a candidate adds can only shrink as others are chosen, so those that added too little before need not be
    computed again: Minoux, Accelerated Greedy Algorithms for Maximizing Submodular Set Functions, 1978.
    """
    before, now = gains.copy(), np.full(len(gains), -np.inf)
    order = np.argsort(-before, kind="stable")
    start, size = 0, AGAIN
    while start < len(order) and before[order[start]] >= now.max():
        rows = order[start : start + size]
        now[rows] = np.minimum(gain(rows), before[rows])
        start, size = start + size, 2 * size
    gains[order[:start]] = now[order[:start]]
    return int(now.argmax())
