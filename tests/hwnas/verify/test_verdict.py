"""The verdict, judged on points whose measurements are made up; measuring for real is in the tests of the commands."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from device_profiles.profile import NetworkMeasurement
from device_profiles.quantity import Quantity
from hwnas.objectives import Objective
from hwnas.run import Run
from hwnas.verify import Checked, judge

OBJECTIVES = [
    Objective("accuracy", "", "max", True, len, origin="measured"),  # type: ignore[arg-type]
    Objective("latency_ms", "ms", "min", False, len),  # type: ignore[arg-type]
]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    spec = {"seed": 0, "constraints": ["latency_ms <= 5"], "hypervolume_reference": {"accuracy": 0.0, "latency_ms": 10.0}}
    return Run.create(tmp_path / "run", spec, OBJECTIVES)


def checked(predicted: list[float], measured: list[float]) -> list[Checked]:
    found = []
    for i, (p, m) in enumerate(zip(predicted, measured, strict=True)):
        quantity, samples = Quantity(m, 0.99 * m, 1.01 * m, "measured"), np.full((8, 3), m)
        measurement = NetworkMeasurement(f"network/{i}", str(i), [], 1, 1, 1.0, quantity, m, m, samples)
        found.append(Checked((i,), "front", Quantity(p, 0.9 * p, 1.1 * p, "predicted"), measurement, np.array([0.5 + 0.1 * i, p])))
    return found


MEASURED = [1.0, 2.0, 3.0, 4.0]


def verdict(run: Run, factor: float, drift: float | None) -> dict[str, Any]:
    ratio = None if drift is None else Quantity(drift, drift - 0.01, drift + 0.01, "measured")
    return judge(run, checked([factor * m for m in MEASURED], MEASURED), ratio)


def test_predictions_that_hold_pass_whatever_the_canaries_say(run: Run) -> None:
    for drift in (None, 1.0, 1.08):
        found = verdict(run, 1.04, drift)
        assert (found["verdict"], found["reasons"], found["within_5"]) == ("pass", [], 1.0)
    assert found["drift"]["value"] == 1.08


def test_a_device_that_drifted_is_named_when_predictions_do_not_hold(run: Run) -> None:
    calm, slower, faster = (verdict(run, factor, drift) for factor, drift in ((0.8, 1.01), (0.8, 1.25), (1.3, 0.8)))
    assert len(calm["reasons"]) == 1
    assert "runs 25% slower than when it was profiled" in slower["reasons"][-1]
    assert "runs 20% faster" in faster["reasons"][-1]
    assert slower["verdict"] == "fail"


def test_a_device_too_busy_to_tell_is_named(run: Run) -> None:
    points = checked([1.3 * m for m in MEASURED], MEASURED)
    for point in points[:2]:
        point.measurement.samples_ms[::2] *= 1.2
    found = judge(run, points)
    assert found["repeat_ceiling"]["within_10"] == 0.5
    assert "measuring twice agrees within 10 % for only 50% of it: the device is too busy to tell" in found["reasons"][-1]
    passing = checked(MEASURED, MEASURED)
    passing[0].measurement.samples_ms[::2] *= 1.2
    assert judge(run, passing)["reasons"] == []


def test_a_constraint_is_violated_by_what_was_measured_not_by_what_was_promised(run: Run) -> None:
    found = judge(run, checked([1.0, 4.9], [1.0, 5.2]))
    assert [v["measured_ms"] for v in found["violated"]] == [5.2]
    assert judge(run, checked([1.0, 4.9], [1.0, 5.04]))["violated"] == []  # within its own interval
