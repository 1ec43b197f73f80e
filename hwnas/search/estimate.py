"""One objective of many architectures, with failures kept to the rows they belong to."""

from __future__ import annotations

import re

import numpy as np

from hwnas.objectives import Estimates, Objective
from hwnas.spaces.base import Archs

Triple = tuple[float, float, float]


def estimate(objective: Objective, archs: Archs) -> tuple[Estimates, list[str | None]]:
    """An objective of `(n, n_choices)` architectures, NaN where it raises, with a one-line error for those.

    When the whole batch raises, its rows are tried one by one, so that a failure belongs to its own row. MemoryError is such a failure: one
    architecture may need too much. KeyboardInterrupt and SystemExit pass through.
    """
    try:
        return objective.evaluate(archs), [None] * len(archs)
    except Exception as error:
        if len(archs) == 1:
            return Estimates(*(np.full(1, np.nan) for _ in range(3))), [one_line(error)]
    rows = [estimate(objective, archs[i : i + 1]) for i in range(len(archs))]
    parts = [np.concatenate([part[i] for part, _ in rows]) if rows else np.empty(0) for i in range(3)]
    return Estimates(*parts), [error for _, errors in rows for error in errors]


def judged(objective: Objective, archs: Archs) -> list[tuple[Triple | None, str | None]]:
    """Per architecture (value, low, high), or None and why: an exception, a number that is not finite, or one outside the hard bounds."""
    estimates, errors = estimate(objective, archs)
    return [_judge(objective, triple, error) for triple, error in zip(np.column_stack(estimates).tolist(), errors, strict=True)]


def _judge(objective: Objective, triple: list[float], error: str | None) -> tuple[Triple | None, str | None]:
    value, *ends = triple
    low, high = objective.bounds or (-np.inf, np.inf)
    if error is not None:
        return None, f"{objective.name}: {error}"
    if not np.isfinite(value):
        return None, f"{objective.name} is {value}"
    if not np.isfinite(ends).all():
        return None, f"the interval of {objective.name} is {ends[0]} to {ends[1]}"
    if not low <= value <= high:
        return None, f"{objective.name} is {value:g}, outside its bounds {low:g} to {high:g}"
    return (value, ends[0], ends[1]), None


def one_line(error: BaseException) -> str:
    """An exception as one short line that is the same in every process: no addresses."""
    text = " ".join(f"{type(error).__name__}: {error}".split())
    return re.sub(r"0x[0-9a-fA-F]{6,}", "0x...", text)[:300]
