"""Where a search stands: counts, the front so far, its hypervolume, and the best of each objective."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from hwnas.front import Archive, hypervolume
from hwnas.objectives import minimised
from hwnas.search.base import Problem
from hwnas.search.budget import Budget
from hwnas.storage import Evaluation


@dataclass(frozen=True, slots=True)
class Progress:
    """What a progress callback gets; `best` holds the best value per objective among usable architectures, in natural direction.

    `total`: how many evaluations may be done, None when only the time is limited; `share`: how much of the budget is spent, 0 to 1.
    """

    done: int
    total: int | None
    share: float
    hypervolume: float
    front_size: int
    best: Mapping[str, float]
    infeasible: int
    failed: int


class Tracker:
    """Adds rows up as they come; each costs one pass over the front, so a search stays linear in its evaluations."""

    def __init__(self, problem: Problem, reference: Mapping[str, float]) -> None:
        self.problem = problem
        self.counts = {"ok": 0, "infeasible": 0, "failed": 0}
        self.first_error = ""
        self._archive = Archive(len(problem.objectives))
        self._corner = minimised([[reference[o.name] for o in problem.objectives]], problem.directions)[0]
        self._best = np.full(len(problem.objectives), np.inf)
        self._volume: float | None = 0.0

    def add(self, rows: Sequence[Evaluation]) -> None:
        """Count evaluations and let the usable ones compete for the front."""
        for row in rows:
            self.counts[row.status] += 1
            self.first_error = self.first_error or row.error or ""
            if row.status == "ok":
                costs = row.numbers()[:, 0] * self.problem.signs
                self._best = np.minimum(self._best, costs)
                if self._archive.add(costs):
                    self._volume = None

    def report(self, budget: Budget) -> Progress:
        """The state now; the hypervolume is computed when asked for, and only when the front has changed."""
        if self._volume is None:
            self._volume = hypervolume(self._archive.values, self._corner)
        values = self._best * self.problem.signs
        best = {o.name: float(v) for o, v in zip(self.problem.objectives, values, strict=True)} if self.counts["ok"] else {}
        done, infeasible, failed = sum(self.counts.values()), self.counts["infeasible"], self.counts["failed"]
        return Progress(done, budget.evaluations, budget.share(done), self._volume, len(self._archive), best, infeasible, failed)
