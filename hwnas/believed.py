"""What is predicted now of the usable architectures of a run: as the search saw it, or as a corrected predictor says since.

The table `evaluations` stays as the search wrote it, so that a search can go on; corrections are `extras`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from device_profiles.quantity import Quantity
from hwnas.front import Front, Mask, non_dominated
from hwnas.objectives import Constraint, Floats, minimised

if TYPE_CHECKING:
    from hwnas.run import Run

Extras = Mapping[tuple[int, ...], Mapping[str, Quantity]]

#: Before the name of an objective, among the extras: what a corrected predictor says that never saw this architecture measured.
CORRECTED = "corrected_"
#: Before the name of an objective, among the extras of a front: what the search saw, where that has been corrected since.
SEARCHED = "searched_"


@dataclass(frozen=True)
class Believed:
    """The architectures with status ok, `(n, n_choices)`, and `estimates` `(n, m, 3)`: value, low, high of every objective.

    `allowed` `(n,)`: no correction and no measurement says that a constraint is violated, or that another one is better for sure;
    `revised`: the objectives whose predictions were corrected.
    """

    architectures: npt.NDArray[np.int64]
    records: Sequence[Mapping[str, Any]]
    constraints: tuple[Constraint, ...]
    estimates: Floats
    extras: Extras
    allowed: Mask
    revised: tuple[str, ...] = ()

    @classmethod
    def of(cls, run: Run) -> Believed:
        """What the run folder holds. Corrections count where every usable architecture has one: prices of two predictors do not compare."""
        spec = run.spec
        rows = [row for row in run.rows() if row.status == "ok"]
        names, records = run.names(), run.objectives
        architectures = np.array([row.architecture for row in rows], dtype=np.int64).reshape(len(rows), -1 if rows else 0)
        estimates = np.array([row.numbers() for row in rows]).reshape(len(rows), len(records), 3)
        constraints = tuple(Constraint.parse(text) for text in spec.get("constraints") or ())
        found = cls(architectures, records, constraints, estimates, run.extras(), np.ones(len(rows), dtype=bool))
        for name in names:
            corrected = [found.extras.get(row.architecture, {}).get(CORRECTED + name) for row in rows]
            known = [(q.value, q.low, q.high) for q in corrected if q is not None]
            if known and len(known) == len(rows):
                found = found.corrected(name, np.array(known))
        return found.checked()

    @property
    def names(self) -> list[str]:
        """The names of the objectives, in order."""
        return [str(record["name"]) for record in self.records]

    def keys(self) -> list[tuple[int, ...]]:
        """The architectures as tuples."""
        return [tuple(arch) for arch in self.architectures.tolist()]

    def corrected(self, name: str, values: Floats) -> Believed:
        """With other `values` `(n, 3)` of one objective; what the search saw goes to the extras."""
        column, keys = self.names.index(name), self.keys()
        extras = {key: {n: q for n, q in known.items() if n != CORRECTED + name} for key, known in self.extras.items()}
        for key, (value, low, high) in zip(keys, self.estimates[:, column].tolist(), strict=True):
            if low <= value <= high:
                extras.setdefault(key, {}).setdefault(SEARCHED + name, Quantity(value, low, high, "predicted"))
        estimates = self.estimates.copy()
        estimates[:, column] = values
        return replace(self, estimates=estimates, extras=extras, revised=tuple({*self.revised, name})).checked()

    def learned(self, name: str, measured: Mapping[tuple[int, ...], Quantity]) -> Believed:
        """With measurements of one objective, by architecture, among the extras."""
        extras = {key: dict(known) for key, known in self.extras.items()}
        for key, quantity in measured.items():
            extras.setdefault(key, {})[name] = quantity
        return replace(self, extras=extras).checked()

    def checked(self) -> Believed:
        """With `allowed` as corrections and measurements say it: a measurement violates a constraint with its whole interval."""
        allowed = np.ones(len(self.architectures), dtype=bool)
        for constraint in self.constraints:
            if constraint.name in self.names:
                nearest = 1 if constraint.upper else 2
                measured = self.measured(constraint.name)
                known = np.where(np.isnan(measured[:, 0]), self.estimates[:, self.names.index(constraint.name), 0], measured[:, nearest])
                allowed &= constraint.violation(known) == 0
        for name in self.revised:
            allowed &= ~self._beaten(name, allowed)
        return replace(self, allowed=allowed)

    def _beaten(self, name: str, by: Mask) -> Mask:
        """Which of those measured cost more than another, one of `by`, that is nowhere worse, by all of both intervals; `(n,)`."""
        measured, column = self.measured(name), self.names.index(name)
        directions = [str(record["direction"]) for record in self.records]
        good, bad = (1, 2) if directions[column] == "min" else (2, 1)
        best, worst = self.estimates[:, :, 0].copy(), self.estimates[:, :, 0].copy()
        best[:, column], worst[:, column] = measured[:, good], measured[:, bad]
        best, worst = minimised(best, directions), minimised(worst, directions)
        beaten = np.zeros(len(best), dtype=bool)
        worst[~by] = np.nan
        for row in worst[non_dominated(worst)]:  # rows that were not measured are NaN, and compare as neither
            beaten |= (row <= best).all(axis=1) & (row < best).any(axis=1)
        return beaten

    def measured(self, name: str) -> Floats:
        """What was measured of one objective: `(n, 3)`, NaN where nothing was."""
        known = [self.extras.get(key, {}).get(name) for key in self.keys()]
        unknown = (np.nan,) * 3
        rows = [unknown if q is None or q.origin != "measured" else (q.value, q.low, q.high) for q in known]
        return np.array(rows, dtype=np.float64).reshape(len(rows), 3)

    def front(self) -> Front:
        """The non-dominated ones among those allowed."""
        return Front.of(self.architectures[self.allowed], self.records, self.estimates[self.allowed], self.extras)
