"""Evaluates a batch of architectures: cheap objectives first and all at once, expensive ones only where they can matter."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from time import gmtime, perf_counter, strftime

import numpy as np

from hwnas.objectives import Estimates, Objective
from hwnas.search.base import Problem
from hwnas.search.estimate import estimate
from hwnas.spaces.base import Archs
from hwnas.storage import Evaluation

Triple = tuple[float, float, float]


class Evaluator:
    """Turns architectures into rows of the table `evaluations`.

    A row is `infeasible` when a constraint is violated; its expensive objectives are not computed if a cheap one was enough to tell. It is
    `failed` when an objective raises, is not finite, or lies outside its hard bounds; a failed row always lacks an estimate.
    """

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self._cheap = [i for i, objective in enumerate(problem.objectives) if not objective.expensive]
        self._expensive = [i for i, objective in enumerate(problem.objectives) if objective.expensive]
        columns = {objective.name: i for i, objective in enumerate(problem.objectives)}
        self._constraints = [(constraint, columns[constraint.name]) for constraint in problem.constraints]

    def __call__(self, ids: Sequence[int], archs: Archs) -> Iterator[list[Evaluation]]:
        """Evaluate `(n, n_choices)` canonical architectures; yields rows in order, in groups that are worth a commit each.

        A group ends with every expensive evaluation, so that a kill loses one at most.
        """
        started, clock = _now(), perf_counter()
        known = self.cheap(archs)
        share = (perf_counter() - clock) / max(len(archs), 1)
        group: list[Evaluation] = []
        for number, arch, (estimates, error) in zip(ids, archs, known, strict=True):
            costly = bool(self._expensive) and error is None and self.violation(estimates) == 0
            clock = perf_counter()
            if costly:
                started = _now()
                estimates, error = self._complete(arch[None], estimates)
            status = "failed" if error else "infeasible" if self.violation(estimates) > 0 else "ok"
            seconds = share + (perf_counter() - clock if costly else 0.0)
            group.append(Evaluation(number, tuple(arch.tolist()), tuple(estimates), status, error, started, seconds))
            if costly:
                yield group
                group = []
        if group:
            yield group

    def cheap(self, archs: Archs) -> list[tuple[list[Triple | None], str | None]]:
        """Per architecture: its estimates, None where an objective is expensive or failed, and the first error."""
        rows: list[list[Triple | None]] = [[None] * len(self.problem.objectives) for _ in archs]
        errors: list[str | None] = [None] * len(archs)
        for i in self._cheap:
            objective = self.problem.objectives[i]
            for row, (triple, error) in enumerate(_judge(objective, *estimate(objective, archs))):
                rows[row][i] = triple
                errors[row] = errors[row] or error
        return list(zip(rows, errors, strict=True))

    def violation(self, estimates: Sequence[Triple | None]) -> float:
        """The sum of relative violations of one row, over the constraints whose objective is known."""
        total = 0.0
        for constraint, column in self._constraints:
            triple = estimates[column]
            total += 0.0 if triple is None else float(constraint.violation([triple[0]])[0])
        return total

    def _complete(self, arch: Archs, estimates: list[Triple | None]) -> tuple[list[Triple | None], str | None]:
        """Add the expensive objectives of one architecture; the first that fails ends it."""
        for i in self._expensive:
            objective = self.problem.objectives[i]
            estimates[i], error = next(_judge(objective, *estimate(objective, arch)))
            if error:
                return estimates, error
        return estimates, None


def _judge(objective: Objective, estimates: Estimates, errors: list[str | None]) -> Iterator[tuple[Triple | None, str | None]]:
    """Per row the triple, or None and why: an exception, a number that is not finite, or one outside the hard bounds."""
    low, high = objective.bounds or (-np.inf, np.inf)
    for triple, error in zip(np.column_stack(estimates).tolist(), errors, strict=True):
        value = triple[0]
        if error is None and not np.isfinite(triple).all():
            error = (
                f"{objective.name} is {value}"
                if not np.isfinite(value)
                else f"the interval of {objective.name} is {triple[1]} to {triple[2]}"
            )
        elif error is None and not low <= value <= high:
            error = f"{objective.name} is {value:g}, outside its bounds {low:g} to {high:g}"
        elif error is not None:
            error = f"{objective.name}: {error}"
        yield (None if error else (value, triple[1], triple[2])), error


def _now() -> str:
    return strftime("%Y-%m-%dT%H:%M:%SZ", gmtime())
