"""Several algorithms, several seeds, one table: hypervolume against evaluations and seconds, the median and the band, and a rank test."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from device_profiles.errors import InputError, unknown
from hwnas.objectives import Floats, as_constraints, minimised
from hwnas.replay.drive import Course, drive
from hwnas.replay.goal import reference_of, true_volume
from hwnas.search.algorithms import ALGORITHMS, make
from hwnas.search.base import Problem
from hwnas.search.tables import Table, TableSpace

#: The baseline that is on every comparison.
BASELINE = "random"
#: The share of the true front's hypervolume whose cost in evaluations is reported.
SHARE = 0.99
#: The band around the median: quantiles over the seeds.
BAND = (0.25, 0.75)


@dataclass(frozen=True)
class Comparison:
    """What was replayed: courses by algorithm, one per seed, all as long as `evaluations` or the table.

    `reference` in natural direction; `volume` is the hypervolume of the true front of the table against it. `left_out` counts the rows for
    which an objective was not recorded: like combinations that are not in the table, they stand for the nearest row.
    """

    table: str
    objectives: Mapping[str, str | None]
    constraints: tuple[str, ...]
    reference: Mapping[str, float]
    volume: float
    evaluations: int
    courses: Mapping[str, Sequence[Course]]
    left_out: int = 0

    def band(self, algorithm: str) -> Floats:
        """Low quantile, median and high quantile of hypervolume as a share of the true front's, `(3, n)`; a course that ended stays."""
        longest = max(len(course.hypervolume) for course in self.courses[algorithm])
        rows = [np.pad(c.hypervolume, (0, longest - len(c.hypervolume)), mode="edge") for c in self.courses[algorithm]]
        return np.quantile(np.array(rows), [BAND[0], 0.5, BAND[1]], axis=0) / self.volume

    def seconds(self, algorithm: str) -> float:
        """The median time that the algorithm itself took for all its evaluations."""
        return float(np.median([course.seconds[-1] for course in self.courses[algorithm]]))

    def rows(self) -> list[dict[str, Any]]:
        """One row per algorithm: the median evaluations to `SHARE` of the true front (None where half never get there), the hypervolume
        at the end as a share of the true front's with its band, seconds of its own, and the rank test against the baseline."""
        result = []
        for name, courses in self.courses.items():
            low, middle, high = self.band(name)[:, -1]
            reached = float(np.median([course.reaches(SHARE * self.volume) for course in courses]))
            result.append({
                "algorithm": name, "evaluations_to_99": reached if np.isfinite(reached) else None, "hypervolume": float(middle),
                "hypervolume_low": float(low), "hypervolume_high": float(high), "seconds": self.seconds(name),
                "p_against_random": None if name == BASELINE else self.rank_test(name, BASELINE),
            })  # fmt: skip
        return result

    def rank_test(self, one: str, other: str) -> float:
        """The probability of ranks as different as these by chance: two-sided, over the mean hypervolume of each course.

        Mann and Whitney, On a Test of Whether One of Two Random Variables is Stochastically Larger, 1947. Needs scipy.
        """
        from scipy.stats import mannwhitneyu

        # The mean over the whole course: at the end many have found everything.
        means = [[float(np.pad(c.hypervolume, (0, self.evaluations - len(c.hypervolume)), mode="edge").mean()) for c in self.courses[name]]
                 for name in (one, other)]  # fmt: skip
        return float(mannwhitneyu(*means, alternative="two-sided").pvalue)


def compare(
    table: Table, algorithms: Sequence[str], seeds: int = 10, evaluations: int = 200, *, objectives: Mapping[str, str | None] | None = None,
    constraints: Sequence[str] = (), reference: Mapping[str, float] | None = None, progress: Callable[[float, str], None] | None = None,
) -> Comparison:  # fmt: skip
    """Replay algorithms on a table with seeds 0, 1, ...; random search is always among them.

    `objectives`: name -> variant (the data set or the device; None where there is one), by default accuracy and the first cost.
    `reference`: values in natural direction by objective; by default all but a thousandth of the rows are better. It is fixed before
    anything is replayed, and the algorithms may know it.

    Raises InputError for names that are not known, fewer than one seed or evaluation, a table without a row that has every objective,
    constraints that nothing meets, and a reference that nothing is better than.
    """
    if seeds < 1 or evaluations < 1:
        raise InputError(f"a comparison takes at least one seed and one evaluation, got {seeds} and {evaluations}")
    for name in algorithms:
        if name not in ALGORITHMS:
            raise unknown("algorithm", name, ALGORITHMS)
    chosen = objectives or _default(table)
    rows = table.recorded(chosen)
    space = TableSpace(rows)
    described = tuple(space.objective(name, variant) for name, variant in chosen.items())
    bare = Problem(space, described, as_constraints(constraints, described))
    for name in reference or {}:
        if name not in chosen:
            raise unknown("objective in a reference", name, chosen)
    point = reference_of(bare, space, reference or {})
    problem = Problem(space, bare.objectives, bare.constraints, tuple(point.values()))
    problem.feasible_sampler.check()
    names = list(dict.fromkeys([*algorithms, BASELINE]))
    for name in names:
        make(name, problem, 0, {})
    corner = minimised([list(point.values())], problem.directions)[0]
    volume = true_volume(problem, space, corner)
    if volume == 0:
        worst = " and ".join(f"{name} {value:.4g}" for name, value in point.items())
        raise InputError(f"no row of {table.name} is better than the reference in every objective: give another than {worst}")
    courses: dict[str, list[Course]] = {name: [] for name in names}
    for done, (seed, name) in enumerate((seed, name) for seed in range(seeds) for name in names):
        if progress is not None:
            progress(done / (seeds * len(names)), f"{name}, seed {seed}")
        courses[name].append(drive(problem, name, seed, min(evaluations, len(rows)), corner))
    constrained = tuple(map(str, problem.constraints))
    return Comparison(
        table.name, chosen, constrained, point, volume, min(evaluations, len(rows)), courses, len(table) - len(rows)
    )  # fmt: skip


def _default(table: Table) -> dict[str, str | None]:
    """Accuracy and the first cost of a table, each in its first variant."""
    costs = [name for name in table.columns if name != "accuracy"]
    names = [*(["accuracy"] if "accuracy" in table.columns else []), *costs[:1]]
    return {name: next(iter(table.columns[name])) for name in names}
