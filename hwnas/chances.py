"""P(on the front): how likely it is that an architecture belongs on the front, given what is not known exactly of all of them.

Every objective of every architecture is drawn from its 90 % interval, many times over, and the share of draws in which an architecture is
not dominated is counted. An accuracy was counted on some images only: that is in its interval. Where an audit has compared shared weights
with trainings of their own, its ranking error is added. A measurement replaces a prediction. A draw that violates a constraint is off the
front, and dominates nobody.

Errors are drawn independently for every architecture. Errors that architectures share (a device that is slower for all of them) change
neither their order nor the front, so chances are nearer to one half than they would be if it were known what is shared.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from hwnas.devices import recomputed
from hwnas.front import Mask, non_dominated
from hwnas.objectives import Constraint, Floats, minimised
from hwnas.ranking_error import RankingError

if TYPE_CHECKING:
    from hwnas.believed import Believed

#: Draws behind a chance: its own standard error is at most 0.016.
DRAWS = 1000
#: Draws held in memory at once.
_CHUNK = 100
#: Half a 90 % interval in standard deviations; and how many of them away nothing is expected any more.
_NORMAL_90, _FAR = 1.645, 4.0


@dataclass(frozen=True)
class Spread:
    """Normal distributions `(n, m)` with a standard deviation of their own to either side; `directions` and `names` of the m objectives."""

    values: Floats
    below: Floats
    above: Floats
    names: tuple[str, ...]
    directions: tuple[str, ...]
    constraints: tuple[Constraint, ...] = ()
    records: tuple[Mapping[str, Any], ...] = ()

    @classmethod
    def of(cls, believed: Believed, errors: Mapping[str, RankingError]) -> Spread:
        """What is known of every usable architecture; `errors` are added to the objectives that they are named after."""
        names, estimates = tuple(believed.names), believed.estimates.copy()
        for column, name in enumerate(names):
            measured = believed.measured(name)
            known = ~np.isnan(measured[:, 0])
            estimates[known, column] = measured[known]
        values = estimates[:, :, 0]
        below, above = ((np.nan_to_num(np.abs(estimates[:, :, end] - values)) / _NORMAL_90) for end in (1, 2))
        values = values.copy()
        for name, error in errors.items():
            column = names.index(name)
            values[:, column] *= error.slope
            for sides in (below, above):
                sides[:, column] = np.hypot(error.slope * sides[:, column], error.sd)
        # A bound on what was ranked anew is about the number as it was counted.
        kept = tuple(c for c in believed.constraints if c.name in names and c.name not in errors)
        return cls(
            values, below, above, names, tuple(str(record["direction"]) for record in believed.records), kept, tuple(believed.records)
        )

    def take(self, rows: npt.NDArray[np.intp]) -> Spread:
        """Those of some architectures."""
        return replace(self, values=self.values[rows], below=self.below[rows], above=self.above[rows])

    def costs(self, z: Floats) -> Floats:
        """The objectives in minimisation form at `z` `(..., n, m)` standard deviations; NaN where a constraint is violated."""
        values = self.drawn(z)
        costs = minimised(values, self.directions)
        for constraint in self.constraints:
            costs[constraint.violation(values[..., self.names.index(constraint.name)]) > 0] = np.nan
        return costs

    def drawn(self, z: Floats) -> Floats:
        """The objectives at `z` `(..., n, m)` standard deviations; the worst of several devices is what those have come to."""
        return recomputed(self.values + z * np.where(z < 0, self.below, self.above), self.records)

    def contenders(self) -> npt.NDArray[np.intp]:
        """The rows that may be on the front at all: not dominated at their very best by another at its very worst."""
        signs = minimised(np.ones((1, len(self.names))), self.directions)
        shape = self.values.shape
        best = minimised(self.drawn(np.broadcast_to(-_FAR * signs, shape)), self.directions)
        worst = self.costs(np.broadcast_to(_FAR * signs, shape))
        surely = worst[non_dominated(worst)]
        beaten = np.zeros(len(best), dtype=bool)
        for row in surely:
            beaten |= (row <= best).all(axis=1) & (row < best).any(axis=1)
        return np.flatnonzero(~beaten)


def chances(spread: Spread, rng: np.random.Generator, draws: int = DRAWS) -> Floats:
    """P(on the front) of every architecture of a spread, shape `(n,)`."""
    found, rows = np.zeros(len(spread.values)), spread.contenders()
    some = spread.take(rows)
    for first in range(0, draws, _CHUNK):
        count = min(_CHUNK, draws - first)
        z = rng.standard_normal((count, *some.values.shape))
        found[rows] += on_fronts(some.costs(z)).sum(axis=0)
    return found / draws


def on_fronts(costs: Floats) -> Mask:
    """Which rows of each of `d` sets of `(n, m)` costs, together `(d, n, m)`, no other row of the set dominates; shape `(d, n)`.

    Equal rows stay together, rows with NaN are on no front.
    """
    if costs.shape[2] > 2 or not costs.size:
        return np.array([non_dominated(rows) for rows in costs], dtype=bool).reshape(costs.shape[:2])
    known = ~np.isnan(costs).any(axis=2)
    first = np.where(known, costs[:, :, 0], np.nan)
    last = np.where(known, costs[:, :, -1] if costs.shape[2] == 2 else 0.0, np.nan)
    order = np.lexsort((last, first), axis=1)
    first, last = (np.take_along_axis(column, order, axis=1) for column in (first, last))
    # In this order a row can only be dominated by rows before it, and it is as soon as one of them is as good in the last column.
    least = np.minimum.accumulate(np.where(np.isnan(last), np.inf, last), axis=1)
    before = np.concatenate([np.full((len(last), 1), np.inf), least[:, :-1]], axis=1)
    distinct = np.ones(last.shape, dtype=bool)
    distinct[:, 1:] = (first[:, 1:] != first[:, :-1]) | (last[:, 1:] != last[:, :-1])
    heads = np.maximum.accumulate(np.where(distinct, np.arange(last.shape[1]), 0), axis=1)
    mask = np.zeros(last.shape, dtype=bool)
    np.put_along_axis(mask, order, np.take_along_axis(last < before, heads, axis=1), axis=1)
    return mask
