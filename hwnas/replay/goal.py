"""What there is to find in a table."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from hwnas.front import hypervolume
from hwnas.objectives import Floats, minimised
from hwnas.search.base import Problem
from hwnas.search.tables.space import TableSpace

#: The quantile of a recorded number at which its reference lies when none is given.
REFERENCE = 0.999


def all_values(problem: Problem, space: TableSpace) -> Floats:
    """Every row of the table in minimisation form, `(n, m)`; rows that violate a constraint are NaN."""
    columns = {objective.name: objective.evaluate(space.table.archs).values for objective in problem.objectives}
    values = minimised(np.column_stack(list(columns.values())), problem.directions)
    for constraint in problem.constraints:
        values[constraint.violation(columns[constraint.name]) > 0] = np.nan
    return values


def reference_of(problem: Problem, space: TableSpace, given: Mapping[str, float]) -> dict[str, float]:
    """The reference point by objective, in natural direction: as given, else where all but a thousandth of the rows are better."""
    costs = {o.name: o.sign * o.evaluate(space.table.archs).values for o in problem.objectives}
    return {o.name: float(given.get(o.name, o.sign * np.nanquantile(costs[o.name], REFERENCE))) for o in problem.objectives}


def true_volume(problem: Problem, space: TableSpace, corner: Floats) -> float:
    """The hypervolume of the true front, against the `(m,)` reference in minimisation form."""
    return hypervolume(all_values(problem, space), corner)
