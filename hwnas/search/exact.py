"""Search by the exact front: of the objectives where they are additive, else of additive models that are refitted as evaluations come."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from device_profiles.errors import InputError
from hwnas.objectives import Floats
from hwnas.search.additive import Additive
from hwnas.search.base import Optimiser, Problem
from hwnas.search.estimate import estimate
from hwnas.search.exact_front import GROUPS, ExactFront, joint_groups
from hwnas.search.exact_kernel import Index
from hwnas.search.neighbourhood import margins, one_choice_away
from hwnas.search.surrogate.straight import straightened
from hwnas.search.told import Told
from hwnas.search.worst_of_sums import Model, distinct_sums, exact_front_of, model_of
from hwnas.spaces.base import Archs

#: Random architectures on which the additive model of a cheap objective is fitted; rows that one of an expensive objective is fitted on.
SAMPLES, ROWS = 1024, 512
#: How far behind the front of the models, in parts of its range, an architecture may lie and still be worth a full evaluation.
EPSILON = 0.05
#: Points of a front whose neighbours are looked at.
CENTRES = 64


class ExactSearch(Optimiser):
    """Computes the front of additive objectives over the whole space, and spends the evaluations on it and its neighbourhood.

    Where every objective is additive the front is exact, and asked for first; so it is where one is the worst of several devices, whose
    costs are additive (see `worst_of_sums`). An objective that is not (most accuracies) is modelled as a
    constant plus a number per part, fitted on what was evaluated: points spread along the front of the models are evaluated, then what lies
    within epsilon of it, and the models are refitted. Where something expensive must be modelled it starts with
    `initial` architectures: the smallest, the largest and random ones.
    """

    description: ClassVar[str] = (
        "dynamic programming over the parts: the provably exact front of additive objectives, and its neighbourhood"
    )
    paper: ClassVar[str] = "Bertele and Brioschi, Nonserial Dynamic Programming, Academic Press 1972"

    def __init__(self, problem: Problem, rng: np.random.Generator, *, initial: int = 24) -> None:
        super().__init__(problem, rng)
        if joint_groups(problem.space) > GROUPS:
            raise InputError(f"the parts of {problem.space.name} share too many choices for an exact front; use another algorithm")
        self.batch = self.initial = initial
        self._additive = [model_of(objective, problem.space) for objective in problem.objectives]
        sums = len(distinct_sums(model for model in self._additive if model is not None)) + self._additive.count(None)
        if sums > 3:
            raise InputError(f"exact takes objectives of at most three sums (the worst of several devices is as many), got {sums}")
        self._told = Told(problem)
        self._front: ExactFront | None = None
        self._fixed: dict[int, Model] = {}

    def ask(self, n: int) -> Archs:
        """The next of the front, spread along it; then the next nearest to it; random ones when nothing is near."""
        if not self._ready():
            return self.first(min(n, self.initial))
        if self._front is None:
            self._front = self._solve()
        front = self._front
        known = np.array([row.tobytes() in self._seen for row in front.archs])
        left = np.flatnonzero(~known)
        asked = self.unseen(front.archs[left[_spread(len(left), n)]])
        if len(asked) < n:
            asked = np.concatenate([asked, self.unseen(self._near(front), n - len(asked))])
        return np.concatenate([asked, self.fresh(n - len(asked))])

    def tell(self, archs: Archs, values: Floats, violation: Floats) -> None:
        """Keep the answers; what is modelled is fitted again when asked next."""
        self._told.add(archs, values, violation)
        if any(self._modelled(i) for i in range(len(self._additive))):
            self._front = None

    def _modelled(self, i: int) -> bool:
        return self._additive[i] is None and self.problem.objectives[i].expensive

    def _ready(self) -> bool:
        """Whether there is enough to fit what must be fitted."""
        return all(
            np.isfinite(self._told.values[:, i]).sum() >= min(self.initial, 2) for i in range(len(self._additive)) if self._modelled(i)
        )

    def _solve(self) -> ExactFront:
        """The front of the objectives, or of their models now, within the bounds that can be trusted."""
        bounds = np.full(len(self._additive), np.inf)
        models: list[Model] = []
        for i, (objective, additive) in enumerate(zip(self.problem.objectives, self._additive, strict=True)):
            if self._modelled(i):
                models.append(self._fit(i))
            else:
                self._fixed[i] = self._fixed.get(i) or additive or self._fit(i)
                models.append(self._fixed[i])
            for constraint in self.problem.constraints:
                if additive is not None and constraint.name == objective.name and constraint.upper == (objective.direction == "min"):
                    bounds[i] = min(bounds[i], objective.sign * constraint.bound)
        self._models = models
        return exact_front_of(self.problem.space, models, bounds)

    def _fit(self, i: int) -> Additive:
        objective, space = self.problem.objectives[i], self.problem.space
        if objective.expensive:
            rows = np.flatnonzero(np.isfinite(self._told.values[:, i]))[-ROWS:]
            return Additive.fit(space, self._told.archs[rows], straightened(objective, self._told.values[rows, i]))
        archs = space.sample(SAMPLES, np.random.Generator(np.random.PCG64(0)))
        values = objective.sign * estimate(objective, archs)[0].values
        good = np.isfinite(values)
        return Additive.fit(space, archs[good], values[good], ridge=1e-9)

    def _near(self, front: ExactFront) -> Archs:
        """What is within epsilon of the front and one choice away from it, or from the best that was evaluated, the nearest first."""
        best = self._told.archs[self._told.front()]
        centres = np.concatenate([front.archs[_spread(len(front.archs), CENTRES)], best[_spread(len(best), CENTRES)]])
        around = one_choice_away(self.problem.space, centres)
        margin = margins(np.column_stack([model(around) for model in self._models]), front.values)
        order = np.argsort(margin, kind="stable")
        return around[order[margin[order] <= EPSILON]]


def _spread(n: int, wanted: int) -> Index:
    """At most `wanted` positions, evenly spread over `n`, both ends included."""
    return np.unique(np.linspace(0, n - 1, min(n, wanted)).astype(np.int64)) if n else np.empty(0, dtype=np.int64)
