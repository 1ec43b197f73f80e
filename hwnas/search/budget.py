"""How long a search may go on: a number of evaluations, a time, or both, whichever is spent first."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

from device_profiles.durations import spoken
from device_profiles.errors import InputError

#: Evaluations where neither their number nor a time is given.
EVALUATIONS = 200


@dataclass(frozen=True, slots=True)
class Budget:
    """`evaluations`: how many at most, None for as many as the time allows. `seconds`: how long at most, None for as long as they take.

    `before_s`: what earlier sessions of the same run took. The clock starts when the budget is made.
    """

    evaluations: int | None
    seconds: float | None
    before_s: float = 0.0
    _began: float = field(default_factory=perf_counter)

    @property
    def spent_s(self) -> float:
        """Seconds so far, earlier sessions included."""
        return self.before_s + perf_counter() - self._began

    @property
    def time_is_up(self) -> bool:
        """Whether no new evaluation may start."""
        return self.seconds is not None and self.spent_s >= self.seconds

    def share(self, done: int) -> float:
        """How much of the budget is spent after so many evaluations, 0 to 1."""
        of_number = 0.0 if self.evaluations is None else done / self.evaluations
        of_time = 0.0 if self.seconds is None else self.spent_s / self.seconds
        return min(max(of_number, of_time), 1.0)


def checked(evaluations: int | None, seconds: float | None) -> tuple[int | None, float | None]:
    """The two limits; 200 evaluations where neither is given. Raises InputError for one that is none."""
    if evaluations is not None and (isinstance(evaluations, bool) or not isinstance(evaluations, int) or evaluations < 1):
        raise InputError(f"evaluations is a whole number of at least 1, got {evaluations!r}")
    if seconds is None:
        return (EVALUATIONS if evaluations is None else evaluations), None
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or not 0 < seconds < math.inf:
        raise InputError(f"budget_s is a number of seconds above 0, got {seconds!r}")
    return evaluations, float(seconds)


def limits(spec: Mapping[str, Any]) -> str:
    """The limits that a run's spec names, as text: `200 evaluations`, `10 min`, or both; empty where it names none."""
    number, seconds = spec.get("evaluations"), spec.get("budget_s")
    texts = [f"{number:,} evaluations" if isinstance(number, int) else "", spoken(seconds) if isinstance(seconds, (int, float)) else ""]
    return " or ".join(text for text in texts if text)


def unfinished(spec: Mapping[str, Any], done: int) -> str:
    """How far a search has come that has not ended, `30 of 200 evaluations`; empty for one that has."""
    limit, number = limits(spec), spec.get("evaluations")
    if spec.get("stopped") or not limit or (isinstance(number, int) and done >= number):
        return ""
    return (
        f"{done:,} of {limit}"
        if isinstance(number, int) and spec.get("budget_s") is None
        else f"{done:,} evaluations within a limit of {limit}"
    )
