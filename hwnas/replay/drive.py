"""One replay: an optimiser driven over objectives that are looked up, with the hypervolume after every evaluation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np

from hwnas.front import Archive, hypervolume
from hwnas.objectives import Floats
from hwnas.search.algorithms import make
from hwnas.search.base import Problem
from hwnas.search.evaluation import Evaluator
from hwnas.search.loop import BARREN


@dataclass(frozen=True)
class Course:
    """What one replay came to: hypervolume after each evaluation and seconds the algorithm itself took until then, both `(n,)`."""

    algorithm: str
    seed: int
    hypervolume: Floats
    seconds: Floats

    def reaches(self, goal: float) -> float:
        """The number of evaluations until the hypervolume is at least `goal`; infinite when it never is."""
        there = np.flatnonzero(self.hypervolume >= goal)
        return float(there[0] + 1) if len(there) else np.inf


def drive(
    problem: Problem, algorithm: str, seed: int, evaluations: int, corner: Floats, options: Mapping[str, Any] | None = None,
    until: float = np.inf,
) -> Course:  # fmt: skip
    """Replay one algorithm with one seed; ends early once the hypervolume is `until`, or when nothing new comes.

    `corner` is the reference point in minimisation form, shape `(m,)`. Every different architecture counts as one evaluation.
    """
    optimiser, evaluator = make(algorithm, problem, seed, options or {}), Evaluator(problem)
    archive, answers = Archive(len(corner)), dict[bytes, tuple[Floats, float]]()
    volumes: list[float] = []
    seconds: list[float] = []
    spent, barren, volume = 0.0, 0, 0.0
    while len(volumes) < evaluations and barren < BARREN and volume < until and len(answers) < problem.space.size:
        clock = perf_counter()
        asked = problem.space.canonical(optimiser.ask(optimiser.batch))
        spent += perf_counter() - clock
        if len(asked) == 0:
            break
        new = np.array([row.tobytes() not in answers for row in asked])
        ids = list(range(int(new.sum())))
        rows = [row for group in evaluator(ids, asked[new]) for row in group]
        for arch, row in zip(asked[new], rows, strict=True):
            values = row.numbers()[:, 0] * problem.signs
            answers[arch.tobytes()] = values, evaluator.violation(row.estimates) if row.status == "infeasible" else 0.0
            if row.status == "ok" and archive.add(values):
                volume = hypervolume(archive.values, corner)
            volumes.append(volume)
            seconds.append(spent)
        barren = 0 if new.any() else barren + 1
        told = [answers[row.tobytes()] for row in asked]
        clock = perf_counter()
        optimiser.tell(asked, np.array([values for values, _ in told]), np.array([violation for _, violation in told]))
        spent += perf_counter() - clock
    return Course(algorithm, seed, np.array(volumes[:evaluations]), np.array(seconds[:evaluations]))
