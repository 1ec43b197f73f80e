"""Progressive search: from simple networks to complex ones, the next step ranked by what the simpler ones have taught."""

from __future__ import annotations

import math
from itertools import product
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from hwnas.front import non_dominated
from hwnas.objectives import Floats
from hwnas.search.base import Optimiser, Problem, failed
from hwnas.search.estimate import estimate
from hwnas.search.surrogate.gaussian_process import GaussianProcess
from hwnas.search.surrogate.pool import Pools
from hwnas.search.surrogate.straight import straightened
from hwnas.search.tables.space import TableSpace
from hwnas.search.told import Told
from hwnas.spaces.base import Archs, SearchSpace

#: Expansions looked at for one step; of more, a random part.
EXPANSIONS = 20_000
#: Members of the ensemble, each fitted on all but one part of the answers; answers of the latest kept for it.
MEMBERS, ROWS = 5, 256


class Progressive(Optimiser):
    """Decides one level of choices after the other; the others stay as in the simplest network.

    Every one of the `beam` best networks of a level is extended by every value of the next level's choices, an ensemble ranks the
    extensions, and the best `beam` are evaluated. After the last level it goes round again from the best of all. Levels are the nodes of a
    cell, else the parts of the network. As in the paper five predictors are each fitted on four fifths of the answers and averaged; here
    they are Gaussian processes, not perceptrons. With several objectives extensions are taken front by front.
    """

    description: ClassVar[str] = "grows networks level by level, ranking extensions by an ensemble: few evaluations"
    paper: ClassVar[str] = "Liu et al., Progressive Neural Architecture Search, ECCV 2018, section 3"

    def __init__(self, problem: Problem, rng: np.random.Generator, *, beam: int = 10) -> None:
        super().__init__(problem, rng)
        self.batch = self.beam = beam
        self._levels, base = levels(problem.space)
        self._level = 0
        self._parents = base
        self._unknown = [i for i, objective in enumerate(problem.objectives) if objective.expensive]
        self._pools = Pools(problem, [i for i in range(len(problem.objectives)) if i not in self._unknown], rng, whole=False)
        self._told = Told(problem)
        self._evaluated: set[bytes] = set()
        self._models: dict[tuple[int, int], GaussianProcess] = {}

    def ask(self, n: int) -> Archs:
        """The best extensions to the next level; random architectures when a whole round brings nothing new."""
        for _ in range(len(self._levels) + 1):
            if self._level >= len(self._levels) and len(self._told):  # a round is over: from the best of all, not of the level before
                self._parents = self._told.archs[in_layers(self._told.values, self.beam)]
            archs = self._extensions(self._levels[self._level % len(self._levels)])
            self._level += 1
            asked = self.unseen(self._different(self._best(archs, len(archs))), min(n, self.beam))
            if len(asked):
                self._parents = asked
                return asked
        return self.fresh(n)

    def tell(self, archs: Archs, values: Floats, violation: Floats) -> None:
        """Keep the answers."""
        self._told.add(archs, values, violation)
        self._evaluated.update(row.tobytes() for row in self._pools.describe(archs).features)

    def _extensions(self, level: tuple[int, ...]) -> Archs:
        """The parents with every joint value of the level's choices, canonical and feasible, each once."""
        limits = [int(self.problem.space.cardinalities[c]) for c in level]
        most = max(EXPANSIONS // len(self._parents), 1)
        if math.prod(limits) <= most:
            joint = np.array(list(product(*map(range, limits))), dtype=np.int64)
        else:
            joint = self.rng.integers(0, limits, (most, len(level)))
        archs = np.repeat(self._parents, len(joint), axis=0)
        archs[:, level] = np.tile(joint, (len(self._parents), 1))
        archs = np.unique(self.problem.space.canonical(archs), axis=0)
        return archs[self.problem.feasible_sampler.feasible(archs)]

    def _best(self, archs: Archs, wanted: int) -> Archs:
        """The `wanted` best of some architectures as far as is known, best first."""
        archs = self.rng.permutation(np.unique(archs, axis=0))
        if not len(archs) or not self._told.learned().any():
            return archs[:wanted]
        return archs[in_layers(self._predict(archs), wanted)]

    def _different(self, archs: Archs) -> Archs:
        """The same architectures in the same order, but those whose features are those of one before or of one evaluated come last.

        Equal cells are looked for in the paper too: they would fill the beam with one network.
        """
        here: set[bytes] = set()
        alike = np.zeros(len(archs), dtype=bool)
        for i, row in enumerate(self._pools.describe(archs).features):
            key = row.tobytes()
            alike[i] = key in here or key in self._evaluated
            here.add(key)
        return np.concatenate([archs[~alike], archs[alike]])

    def _predict(self, archs: Archs) -> Floats:
        """Every objective, `(n, m)`: what is cheap as it is, what is expensive as the ensemble's mean."""
        told = self._told
        rows = np.flatnonzero(told.learned() | failed(told.values, told.violation))[-ROWS:]
        pool = self._pools.describe(np.concatenate([archs, told.archs[rows]]))
        features = pool.standardised(pool)
        new, x = features[: len(archs)], features[len(archs) :]
        result = np.empty((len(archs), told.values.shape[1]))
        for i, objective in enumerate(self.problem.objectives):
            if i not in self._unknown:
                result[:, i] = objective.sign * estimate(objective, archs)[0].values
                continue
            values = told.values[rows, i]
            values = np.where(np.isfinite(values), values, np.nanmax(told.values[:, i]))
            values = straightened(objective, values)
            parts = self.rng.permutation(len(rows)) % MEMBERS
            means = []
            for member in range(MEMBERS):
                kept = np.flatnonzero((parts != member) | (len(rows) < 2 * MEMBERS))
                model = self._models.setdefault((i, member), GaussianProcess(x.shape[1], self.rng))
                means.append(model.fit(x[kept], values[kept]).predict(new)[0])
            result[:, i] = np.mean(means, axis=0)
        return result


def in_layers(values: Floats, wanted: int) -> npt.NDArray[np.intp]:
    """The first `wanted` of `(n, m)` values in order of fronts: what nothing dominates, then what only those dominate, ...; no NaN."""
    order: list[npt.NDArray[np.intp]] = []
    left = np.arange(len(values))
    while sum(map(len, order)) < wanted:
        layer = non_dominated(values[left])
        if not layer.any():
            break
        order.append(left[layer])
        left = left[~layer]
    return np.concatenate([np.empty(0, dtype=np.intp), *order])[:wanted]


def levels(space: SearchSpace) -> tuple[list[tuple[int, ...]], Archs]:
    """The choices that each level decides, every choice once, and the simplest network, shape `(1, n_choices)`.

    In a cell a level is a node with its edges to what is there already: first the edge from the input to the output. Otherwise a level is
    what the next part of the network depends on.
    """
    cell = space.table.cell if isinstance(space, TableSpace) else None
    if cell is None:
        groups = [part.choices for part in space.parts] + [tuple(range(len(space.choices)))]
        base = space.smallest()
    else:
        last = max(end for _, end in cell.edges)
        nodes = [[0, last, *range(1, node + 1)] for node in range(last)]
        groups = [tuple(i for i, edge in enumerate(cell.edges) if set(edge) <= set(inside)) for inside in nodes]
        base = np.full((1, len(space.choices)), cell.operations.index(cell.cut), dtype=np.int64)
    decided: set[int] = set()
    found = []
    for group in groups:
        new = tuple(c for c in group if c not in decided)
        decided |= set(new)
        if new:
            found.append(new)
    return found, base
