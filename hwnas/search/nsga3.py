"""NSGA-III over choice indices: NSGA-II with a survival that spreads along directions instead of by crowding."""

from __future__ import annotations

import warnings
from math import comb
from typing import Any, ClassVar

import numpy as np

from device_profiles.errors import InputError
from hwnas.front import Mask
from hwnas.objectives import Floats
from hwnas.search.base import Problem
from hwnas.search.nsga2 import Nsga2


class Nsga3(Nsga2):
    """Elitist search by non-dominated rank and by niches around evenly spread directions, as many as the population can hold.
    All but the survival and the tournaments is `Nsga2`: the first generation, the operators, what is proposed and how failures rank.
    Objectives are divided by their range in the first generation.
    """

    description: ClassVar[str] = "evolves a population along evenly spread directions: for three objectives and more"
    paper: ClassVar[str] = (
        "Deb and Jain, An Evolutionary Many-Objective Optimization Algorithm Using Reference-Point-Based Nondominated Sorting "
        "Approach, IEEE TEVC 2014"
    )

    def __init__(self, problem: Problem, rng: np.random.Generator, *, population: int = 24) -> None:
        if population < len(problem.objectives):
            raise InputError(f"nsga3 needs a population of at least one per objective, {len(problem.objectives)}, got {population}")
        super().__init__(problem, rng, population=population)
        self._range: Floats | None = None

    def _absorb(self) -> None:
        # pymoo silences all warnings of the process when it looks for the intercepts of the front.
        with warnings.catch_warnings():
            super()._absorb()

    def _scaled(self, values: Floats, usable: Mask) -> Floats:
        """Divided by the range of the first usable values: pymoo takes differences below 0.001 for none."""
        if self._range is None and usable.any():
            spread = np.ptp(values[usable], axis=0)
            self._range = np.where(spread > 0, spread, 1.0)
        return values if self._range is None else values / self._range

    def _pymoo(self, **settings: Any) -> Any:
        from pymoo.algorithms.moo.nsga3 import NSGA3
        from pymoo.operators.selection.tournament import TournamentSelection
        from pymoo.util.ref_dirs import get_reference_directions

        objectives = len(self.problem.objectives)
        partitions = 1
        while objectives > 1 and comb(partitions + objectives, objectives - 1) <= self.batch:
            partitions += 1
        directions = get_reference_directions("das-dennis", objectives, n_partitions=partitions)
        return NSGA3(directions, selection=TournamentSelection(func_comp=_by_violation_then_chance), **settings)


def _by_violation_then_chance(population: Any, pairs: Any, random_state: np.random.Generator, **_: Any) -> Any:
    """The winners of `(n, 2)` tournaments, `(n, 1)`: the lesser violation, else either. pymoo's own are not seeded."""
    violation = population.get("CV")[:, 0]
    one, other = pairs.T
    equal = violation[one] == violation[other]
    first = np.where(equal, random_state.random(len(pairs)) < 0.5, violation[one] < violation[other])
    return np.where(first, one, other)[:, None]
