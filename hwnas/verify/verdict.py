"""The verdict on re-measured points."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from device_profiles import protocol
from device_profiles.protocol import DRIFT
from device_profiles.quantity import Quantity
from hwnas.front import hypervolume
from hwnas.objectives import Constraint, minimised
from hwnas.run import Run
from hwnas.verify.points import FORMER, FRONT, LATENCY, Checked

#: The verdict is positive when at least this share of the front is within 10 % of its prediction ...
WITHIN_10 = 0.9
#: ... and measured and predicted order agree this well (asked only of fronts of at least five points).
SPEARMAN = 0.9

SCORES = ("within_5", "within_10", "mape", "spearman", "kendall")


def judge(run: Run, checked: Sequence[Checked], drift: Quantity | None = None) -> dict[str, Any]:
    """The verdict on re-measured points, as `verify.json` holds it.

    `drift`: how much slower the canaries were than when the device was profiled; the measured latencies are corrected by it where the
    protocol corrects for drift, and `as_timed` holds the scores without. A verdict that is negative while the device has drifted says so.
    """
    from predictors.evaluation import metrics

    front = [c for c in checked if c.role == FRONT]
    predicted = np.array([c.predicted.value for c in front])
    measured = np.array([c.measurement.latency_ms.value for c in front])
    scores = metrics(predicted, measured)
    violated, ceiling = _violated(run, front), _ceiling(front)
    reasons = _reasons(scores, len(front), violated)
    if reasons and busy(ceiling):
        twice = f"measuring twice agrees within 10 % for only {ceiling['within_10'] or 0:.0%} of it"
        reasons.append(f"{twice}: the device is too busy to tell; verify again when it is left alone")
    if reasons and drift is not None and abs(drift.value - 1) > DRIFT:
        change = f"{abs(drift.value - 1):.0%} {'slower' if drift.value > 1 else 'faster'}"
        reasons.append(f"the device itself runs {change} than when it was profiled: profile it again, or verify when it is left alone")
    inside = [c.predicted.low <= c.measurement.latency_ms.value <= c.predicted.high for c in front]
    return {
        "schema": 1, "verdict": "fail" if reasons else "pass", "reasons": reasons,
        "points": [
            {
                "architecture": list(c.architecture), "role": c.role, "predicted_ms": c.predicted.to_json(),
                "measured_ms": c.measurement.latency_ms.to_json(), "error": c.error, "warnings": list(c.measurement.warnings),
            }
            for c in checked
        ],
        **{name: scores[name] for name in SCORES},
        "coverage": float(np.mean(inside)), "repeat_ceiling": ceiling, "violated": violated,
        "dropped": _violated(run, [c for c in checked if c.role == FORMER]),
        "front_regret": _regret(run, checked), "drift": None if drift is None else drift.to_json(),
        "as_timed": _as_timed(front),
    }  # fmt: skip


def busy(ceiling: dict[str, float | None]) -> bool:
    """Whether measuring twice agrees too badly to judge anything by it."""
    return (ceiling["within_10"] or 0) < WITHIN_10


def _reasons(scores: dict[str, float | None], points: int, violated: Sequence[dict[str, Any]]) -> list[str]:
    """What speaks against the predictions."""
    reasons = []
    within, spearman = scores["within_10"], scores["spearman"]
    if within is None or within < WITHIN_10:
        reasons.append(f"{within or 0:.0%} of the front is within 10 % of its prediction, {WITHIN_10:.0%} is wanted")
    if points >= 5 and spearman is not None and spearman < SPEARMAN:
        reasons.append(f"measured and predicted order agree with a rank correlation of {spearman:.2f}, {SPEARMAN} is wanted")
    return reasons + [f"{v['constraint']} is violated: {v['measured_ms']:.4g} ms measured" for v in violated]


def _violated(run: Run, front: Sequence[Checked]) -> list[dict[str, Any]]:
    """Constraints on the latency that the measured value breaks beyond its own interval."""
    found = []
    for text in run.spec.get("constraints") or ():
        constraint = Constraint.parse(text)
        if constraint.name != LATENCY:
            continue
        for c in front:
            latency = c.measurement.latency_ms
            nearest = latency.low if constraint.upper else latency.high
            if constraint.violation([nearest])[0] > 0:
                found.append({"architecture": list(c.architecture), "constraint": str(constraint), "measured_ms": latency.value})
    return found


def _ceiling(front: Sequence[Checked]) -> dict[str, float | None]:
    """The same scores of measuring twice: even rounds against odd rounds of the same points."""
    from predictors.evaluation import metrics

    twice = [c for c in front if len(c.measurement.samples_ms) >= 2]
    even = np.array([protocol.estimate(c.measurement.samples_ms[::2]).value for c in twice])
    odd = np.array([protocol.estimate(c.measurement.samples_ms[1::2]).value for c in twice])
    scores = metrics(even, odd)
    return {name: scores[name] for name in SCORES}


def _as_timed(front: Sequence[Checked]) -> dict[str, float | None]:
    """The scores without the correction for drift."""
    from predictors.evaluation import metrics

    timed = np.array([protocol.estimate(c.measurement.samples_ms).value for c in front])
    scores = metrics(np.array([c.predicted.value for c in front]), timed)
    return {name: scores[name] for name in SCORES}


def _regret(run: Run, checked: Sequence[Checked]) -> float | None:
    """Share of the hypervolume of all re-measured points that the front misses, with measured latencies; None without a reference.

    A point that was dropped for what it was measured to cost offers nothing.
    """
    reference, names = run.spec.get("hypervolume_reference"), run.names()
    if not reference:
        return None
    dropped = {tuple(v["architecture"]) for v in _violated(run, [c for c in checked if c.role == FORMER])}
    allowed = [c for c in checked if c.architecture not in dropped]
    directions = [record["direction"] for record in run.objectives]
    corner = minimised([[reference[name] for name in names]], directions)[0]
    rows = np.array([c.row for c in allowed])
    rows[:, names.index(LATENCY)] = [c.measurement.latency_ms.value for c in allowed]
    costs = minimised(rows, directions)
    of_all = hypervolume(costs, corner)
    of_front = hypervolume(costs[[c.role == FRONT for c in allowed]], corner)
    return float(1 - of_front / of_all) if of_all > 0 else None
