"""Evaluates a batch of architectures: cheap objectives first and all at once, expensive ones only where they can matter."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from time import perf_counter

from hwnas.search.base import Problem
from hwnas.search.estimate import Triple, judged
from hwnas.search.workers import Here, Job, Schedule, Workers
from hwnas.search.workers.base import now
from hwnas.spaces.base import Archs
from hwnas.storage import Evaluation


class Evaluator:
    """Turns architectures into rows of the table `evaluations`; `workers` compute what is expensive, this process when not given.

    A row is `infeasible` when a constraint is violated; its expensive objectives are not computed if a cheap one was enough to tell. It is
    `failed` when an objective raises, is not finite, or lies outside its hard bounds, when its worker died or took too long; a failed row
    always lacks an estimate.
    """

    def __init__(self, problem: Problem, workers: Workers | None = None) -> None:
        self.problem = problem
        self.workers = Here(problem.objectives) if workers is None else workers
        self._cheap = [i for i, objective in enumerate(problem.objectives) if not objective.expensive]
        self._expensive = [i for i, objective in enumerate(problem.objectives) if objective.expensive]
        columns = {objective.name: i for i, objective in enumerate(problem.objectives)}
        self._constraints = [(constraint, columns[constraint.name]) for constraint in problem.constraints]

    def __call__(self, ids: Sequence[int], archs: Archs) -> Iterator[list[Evaluation]]:
        """Evaluate `(n, n_choices)` canonical architectures; yields rows as they come, in groups that are worth a commit each.

        With one worker they come in order. A group ends with every expensive evaluation, so that a kill loses what is being computed, and
        nothing else.
        """
        started, clock = now(), perf_counter()
        known = self.cheap(archs)
        share = (perf_counter() - clock) / max(len(archs), 1)
        jobs = []
        for number, arch, (estimates, error) in zip(ids, archs, known, strict=True):
            worth = error is None and self.violation(estimates) == 0
            jobs.append(Job(number, arch, estimates, error, list(self._expensive) if worth else [], share))
        group: list[Evaluation] = []
        for job in Schedule(jobs, self.workers):
            group.append(self._row(job, started))
            if job.started:
                yield group
                group = []
        if group:
            yield group

    def cheap(self, archs: Archs) -> list[tuple[list[Triple | None], str | None]]:
        """Per architecture: its estimates, None where an objective is expensive or failed, and the first error."""
        rows: list[list[Triple | None]] = [[None] * len(self.problem.objectives) for _ in archs]
        errors: list[str | None] = [None] * len(archs)
        for i in self._cheap:
            for row, (triple, error) in enumerate(judged(self.problem.objectives[i], archs)):
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

    def _row(self, job: Job, started: str) -> Evaluation:
        status = "failed" if job.error else "infeasible" if self.violation(job.estimates) > 0 else "ok"
        arch, estimates = tuple(job.arch.tolist()), tuple(job.estimates)
        return Evaluation(job.number, arch, estimates, status, job.error, job.started or started, job.seconds)
