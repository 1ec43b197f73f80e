"""Re-measures the front of a run on this device, and says whether the predictions held.

The front was chosen among many candidates by predicted cost, so it is where errors that flatter would gather: a few random
architectures are measured beside it, by the same protocol and in the same rounds.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from device_profiles import protocol
from device_profiles.campaign import Campaign, Progress
from device_profiles.drift import compare
from device_profiles.errors import DeviceError, InputError
from device_profiles.fingerprint import device_fingerprint, differences
from device_profiles.plan import Plan
from device_profiles.profile import DeviceProfile, NetworkMeasurement
from device_profiles.protocol import DRIFT, Protocol
from device_profiles.quantity import Quantity
from device_profiles.runtimes.process import RuntimeProcess
from hwnas.front import hypervolume
from hwnas.objectives import Constraint, minimised
from hwnas.profiling import arch_name, whole_network
from hwnas.run import Run
from hwnas.spaces import from_spec
from hwnas.spaces.base import Archs, SearchSpace

if TYPE_CHECKING:
    from predictors import NetworkPredictor

#: The verdict is positive when at least this share of the front is within 10 % of its prediction ...
WITHIN_10 = 0.9
#: ... and measured and predicted order agree this well (asked only of fronts of at least five points).
SPEARMAN = 0.9
#: At most this many points of the front are measured, evenly spaced along it.
MAX_POINTS = 40
#: Random architectures of the run measured beside the front.
RANDOM_POINTS = 6

#: Settings for verification: few items, so more rounds each than when an operator library is measured.
SETTINGS = Protocol(min_rounds=48, max_rounds=400)


_SCORES = ("within_5", "within_10", "mape", "spearman", "kendall")


@dataclass(frozen=True)
class Checked:
    """One re-measured architecture: what was predicted, what was measured, and its accuracy as the search saw it."""

    architecture: tuple[int, ...]
    role: str
    predicted: Quantity
    measurement: NetworkMeasurement
    row: npt.NDArray[np.float64]

    @property
    def error(self) -> float:
        """Relative error of the prediction: positive when it promised too much time."""
        return self.predicted.value / self.measurement.latency_ms.value - 1.0


def verify(
    run: Run,
    device: NetworkPredictor,
    *,
    budget_s: float | None = None,
    settings: Protocol = SETTINGS,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Measures the front again and writes `verify.json` into the run folder; returns its content.

    The measurements go to `verify.jsonl` beside it, so that a verification that was interrupted goes on. Raises InputError when this
    machine or runtime is not the device of the predictor, or the run has no latency objective or an empty front; DeviceError when
    nothing could be measured.
    """
    names = run.names()
    if "latency_ms" not in names:
        raise InputError(f"this run has no latency_ms to verify; its objectives are {', '.join(names)}")
    space = from_spec(run.spec["space"])
    chosen, here = _chosen(run), device.origin_["runtime"]
    with RuntimeProcess(here["name"], here["threads"]) as runtime:
        differing = differences(device_fingerprint(), runtime.fingerprint(), device.origin_["device"], here)
        if differing:
            raise InputError(f"this is not the device that was searched for ({'; '.join(differing)}); verify on that device")
        networks = [whole_network(space, arch, runtime) for arch, _ in chosen]
        path = _measurements(run.path)
        plan, known = Plan((), tuple(networks)), {key: [quantity.value] for key, quantity in _canaries(device).items()}
        Campaign(plan, path, runtime, settings=settings, budget_s=budget_s, progress=progress, known=known).run()
    measured = DeviceProfile.read(path)
    checked = _checked(run, space, measured, chosen)
    verdict = judge(run, checked, compare(measured.canaries(), _canaries(device)))
    run.add_extras([(c.architecture, "latency_ms", c.measurement.latency_ms) for c in checked])
    run.write_front()
    _write(run.path / "verify.json", verdict)
    return verdict


def _measurements(folder: Path) -> Path:
    """Where to measure into: on after an interruption, afresh after a verdict; what an earlier verification measured is kept."""
    path = folder / "verify.jsonl"
    if (folder / "verify.json").exists() and path.exists():
        number = sum(1 for _ in folder.glob("verify.*.jsonl"))
        path.rename(folder / f"verify.{number}.jsonl")
    return path


def _chosen(run: Run) -> list[tuple[Archs, str]]:
    """Points of the front, evenly spaced when there are many, and random architectures of the run that are not on it."""
    front = run.front().architectures
    if not len(front):
        raise InputError("the front of this run is empty; there is nothing to verify")
    picked = front[np.unique(np.linspace(0, len(front) - 1, min(len(front), MAX_POINTS)).round().astype(int))]
    rows = run.evaluations()
    others = rows["architecture"][rows["status"] == "ok"]
    others = others[~(others[:, None, :] == front[None]).all(axis=2).any(axis=1)]
    rng = np.random.default_rng(int(run.spec["seed"]))
    random = others[rng.permutation(len(others))[:RANDOM_POINTS]]
    return [(arch, "front") for arch in picked] + [(arch, "random") for arch in random]


def _checked(run: Run, space: SearchSpace, profile: DeviceProfile, chosen: Sequence[tuple[Archs, str]]) -> list[Checked]:
    measured = {m.name: m for m in profile.networks()}
    rows = {row.architecture: row.numbers() for row in run.rows()}
    column = run.names().index("latency_ms")
    found = []
    for arch, role in chosen:
        key, measurement = tuple(arch.tolist()), measured.get(arch_name(space, arch))
        if measurement is not None:
            value, low, high = rows[key][column]
            found.append(Checked(key, role, Quantity(value, low, high, "predicted"), measurement, rows[key][:, 0]))
    if not any(c.role == "front" for c in found):
        errors = [line["error"] for line in profile.failures()] or ["the budget was too short"]
        raise DeviceError(f"no point of the front could be measured: {errors[0]}")
    return found


def _canaries(device: NetworkPredictor) -> dict[str, Quantity]:
    """What the canaries took when the device was profiled."""
    known = device.origin_.get("profile", {}).get("canaries", {})
    return {key: Quantity.from_json(value) for key, value in known.items()}


def judge(run: Run, checked: Sequence[Checked], drift: Quantity | None = None) -> dict[str, Any]:
    """The verdict on re-measured points, as `verify.json` holds it.

    `drift`: how much slower the canaries were than when the device was profiled; the measured latencies are corrected by it where the
    protocol corrects for drift, and `as_timed` holds the scores without. A verdict that is negative while the device has drifted says so.
    """
    from predictors.evaluation import metrics

    front = [c for c in checked if c.role == "front"]
    predicted = np.array([c.predicted.value for c in front])
    measured = np.array([c.measurement.latency_ms.value for c in front])
    scores = metrics(predicted, measured)
    violated = _violated(run, front)
    reasons = []
    within, spearman = scores["within_10"], scores["spearman"]
    if within is None or within < WITHIN_10:
        reasons.append(f"{within or 0:.0%} of the front is within 10 % of its prediction, {WITHIN_10:.0%} is wanted")
    if len(front) >= 5 and spearman is not None and spearman < SPEARMAN:
        reasons.append(f"measured and predicted order agree with a rank correlation of {spearman:.2f}, {SPEARMAN} is wanted")
    reasons += [f"{violation['constraint']} is violated: {violation['measured_ms']:.4g} ms measured" for violation in violated]
    ceiling = _ceiling(front)
    if reasons and (ceiling["within_10"] or 0) < WITHIN_10:
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
        **{name: scores[name] for name in _SCORES},
        "coverage": float(np.mean(inside)), "repeat_ceiling": ceiling, "violated": violated,
        "front_regret": _regret(run, checked), "drift": None if drift is None else drift.to_json(),
        "as_timed": _as_timed(front),
    }  # fmt: skip


def _violated(run: Run, front: Sequence[Checked]) -> list[dict[str, Any]]:
    """Constraints on the latency that the measured value breaks beyond its own interval."""
    found = []
    for text in run.spec.get("constraints", []):
        constraint = Constraint.parse(text)
        if constraint.name != "latency_ms":
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

    even = np.array([protocol.estimate(c.measurement.samples_ms[::2]).value for c in front])
    odd = np.array([protocol.estimate(c.measurement.samples_ms[1::2]).value for c in front])
    scores = metrics(even, odd)
    return {name: scores[name] for name in _SCORES}


def _as_timed(front: Sequence[Checked]) -> dict[str, float | None]:
    """The scores without the correction for drift."""
    from predictors.evaluation import metrics

    timed = np.array([protocol.estimate(c.measurement.samples_ms).value for c in front])
    scores = metrics(np.array([c.predicted.value for c in front]), timed)
    return {name: scores[name] for name in _SCORES}


def _regret(run: Run, checked: Sequence[Checked]) -> float | None:
    """Share of the hypervolume of all re-measured points that the front misses, with measured latencies; None without a reference."""
    reference, names = run.spec.get("hypervolume_reference"), run.names()
    if not reference:
        return None
    directions = [record["direction"] for record in run.objectives]
    corner = minimised([[reference[name] for name in names]], directions)[0]
    rows = np.array([c.row for c in checked])
    rows[:, names.index("latency_ms")] = [c.measurement.latency_ms.value for c in checked]
    costs = minimised(rows, directions)
    of_all = hypervolume(costs, corner)
    of_front = hypervolume(costs[[c.role == "front" for c in checked]], corner)
    return float(1 - of_front / of_all) if of_all > 0 else None


def _write(path: Path, content: dict[str, Any]) -> None:
    partial = path.with_name(f".{path.name}.partial")
    try:
        partial.write_text(json.dumps(content, indent=1, allow_nan=False) + "\n", encoding="utf-8")
        os.replace(partial, path)
    except OSError as error:
        raise DeviceError(f"cannot write {path}: {error.strerror}") from error
