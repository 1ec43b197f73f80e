"""Rounds of measuring and correcting, on a device whose truth is known."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import predictors
from device_profiles.errors import DeviceError, InputError
from device_profiles.operators import Network
from device_profiles.quantity import Quantity
from hwnas.believed import CORRECTED
from hwnas.finish import device_of
from hwnas.report.data import collect
from hwnas.run import Run
from hwnas.search.lock import run_lock
from hwnas.storage import Writer
from hwnas.verify import verify


def as_predicted(network: Network, ms: float) -> float:
    return ms


def slower(network: Network, ms: float) -> float:
    return 1.3 * ms


def fronts(run: Run) -> set[tuple[int, ...]]:
    return {point.architecture for point in run.front()}


def on_front(verdict: dict[str, Any]) -> set[tuple[int, ...]]:
    return {tuple(point["architecture"]) for point in verdict["points"] if point["role"] == "front"}


def forget_extras(run: Run) -> None:
    """As a run is before it was ever verified: other tests may have verified the walk."""
    with sqlite3.connect(run.database) as db:
        db.execute("DELETE FROM extras WHERE name LIKE '%latency_ms'")


def test_predictions_that_hold_are_measured_once_and_left_alone(stage: Any) -> None:
    forget_extras(stage.run)
    (before, files) = fronts(stage.run), sorted(path.name for path in stage.run.path.iterdir())
    made = stage.pretend(as_predicted)
    verdict = verify(stage.run, device_of(stage.run))
    assert verdict["verdict"] == "pass"
    assert verdict["stopped"] == "the predictions hold"
    assert verdict["corrected"] is None
    assert made[0].calls == len(verdict["iterations"]) == 1
    assert verdict["iterations"][0]["measured"] == len(verdict["points"])
    assert on_front(verdict) == before == fronts(stage.run)
    assert {path.name for path in stage.run.path.iterdir()} == {*files, "verify.json"}
    assert json.loads((stage.run.path / "verify.json").read_text()) == verdict


def test_a_device_that_is_slower_by_a_third_is_learned_and_no_file_of_the_users_changes(stage: Any) -> None:
    forget_extras(stage.run)
    stage.pretend(slower)
    device = (stage.folder / "device.json").read_bytes()
    rows = [row.estimates for row in stage.run.rows()]
    told: list[str] = []
    verdict = verify(stage.run, device_of(stage.run), notice=told.append)
    assert verdict["as_searched"]["within_10"] == 0.0
    assert verdict["as_searched"]["verdict"] == "fail"
    assert (verdict["verdict"], verdict["within_10"]) == ("pass", 1.0)
    assert verdict["corrected"] == {"device": "device.corrected.json", "how": "head"}
    assert [record["verdict"] for record in verdict["iterations"]] == ["fail", "pass"]
    assert on_front(verdict) == fronts(stage.run)
    assert len(told) == 1
    assert (stage.folder / "device.json").read_bytes() == device
    assert [row.estimates for row in stage.run.rows()] == rows
    corrected = predictors.load(stage.run.path / "device.corrected.json")
    with corrected.lowering() as ask:
        network = ask(_space(stage.run).network(_space(stage.run).largest()[0]))
    truth = 1.3 * device_of(stage.run).predict(network).latency_ms.value
    assert corrected.predict(network).latency_ms.value == pytest.approx(truth, rel=0.1)
    page = collect(stage.run, stage.run.path / "report.html")
    assert page.verification is not None
    assert page.verification.searched["within_10"] == 0.0
    assert "verification" not in page.missing


def _space(run: Run) -> Any:
    from hwnas.spaces import from_spec

    return from_spec(run.spec["space"])


def test_without_the_profile_the_predictor_is_transferred(stage: Any) -> None:
    forget_extras(stage.run)
    stage.pretend(slower)
    (stage.folder / "p.jsonl").unlink()
    verdict = verify(stage.run, device_of(stage.run))
    assert verdict["corrected"]["how"] == "transfer"
    assert verdict["mape"] < verdict["as_searched"]["mape"] / 2
    assert predictors.load(stage.run.path / "device.corrected.json").origin_["profile"]["transferred_from"]


def test_points_that_a_correction_brings_onto_the_front_are_measured(stage: Any) -> None:
    forget_extras(stage.run)
    middle = np.median([row.estimates[1][0] for row in stage.run.rows() if row.estimates[1]])
    stage.pretend(lambda network, ms: ms * (2.5 if ms < middle else 1.0))
    verdict = verify(stage.run, device_of(stage.run))
    assert fronts(stage.run) == on_front(verdict)
    measured = [tuple(point["architecture"]) for point in verdict["points"]]
    assert len(measured) == len(set(measured)) == sum(record["measured"] for record in verdict["iterations"])


def test_what_violates_a_constraint_leaves_the_front_and_is_named(stage: Any) -> None:
    forget_extras(stage.run)
    last = stage.run.front()[len(stage.run.front()) - 1]
    bound = f"latency_ms <= {last.objectives['latency_ms'].value * 1.05:.6f}"
    with Writer(stage.run.database) as writer:
        writer.set_spec(constraints=[bound])
    stage.pretend(lambda network, ms: 1.08 * ms)
    verdict = verify(stage.run, device_of(stage.run))
    assert last.architecture not in fronts(stage.run)
    assert [tuple(v["architecture"]) for v in verdict["dropped"]] == [last.architecture]
    assert verdict["violated"] == []
    assert any("is violated" in reason for reason in verdict["as_searched"]["reasons"])
    assert any("has left the front" in text for text in collect(stage.run, stage.run.path / "r.html").verification.violated)  # type: ignore[union-attr]


def test_a_device_too_busy_to_tell_corrects_nothing(stage: Any) -> None:
    forget_extras(stage.run)
    stage.pretend(slower, noise=3.0)
    (stage.run.path / "device.corrected.json").unlink(missing_ok=True)  # the run that this is a copy of may have been corrected
    verdict = verify(stage.run, device_of(stage.run))
    assert verdict["corrected"] is None
    assert verdict["stopped"] == "the device is too busy to correct anything by it"
    assert not (stage.run.path / "device.corrected.json").exists()


def test_one_round_only_measures(stage: Any) -> None:
    forget_extras(stage.run)
    stage.pretend(slower)
    verdict = verify(stage.run, device_of(stage.run), iterations=1)
    assert (verdict["verdict"], len(verdict["iterations"]), verdict["corrected"]) == ("fail", 1, None)


def test_a_device_that_is_gone_before_anything_was_measured_leaves_the_run_as_it_was(stage: Any) -> None:
    forget_extras(stage.run)
    stage.pretend(as_predicted, fails_at=1)
    before = stage.run.database.read_bytes()
    with pytest.raises(DeviceError, match="does not answer"):
        verify(stage.run, device_of(stage.run))
    assert stage.run.database.read_bytes() == before
    assert not (stage.run.path / "verify.json").exists()


def test_a_front_of_one_point(stage: Any) -> None:
    forget_extras(stage.run)
    with sqlite3.connect(stage.run.database) as db:
        db.execute("DELETE FROM evaluations WHERE id > 1")
    stage.pretend(slower)
    verdict = verify(stage.run, device_of(stage.run))
    assert len(verdict["points"]) == 1
    assert verdict["spearman"] is None
    assert stage.run.front(chances=True)[0].chance == 1.0


def test_runs_that_cannot_be_verified_are_one_line_and_unchanged(stage: Any, tmp_path: Path) -> None:
    stage.pretend(as_predicted)
    device = device_of(stage.run)
    before = stage.run.database.read_bytes()
    with run_lock(stage.run.path), pytest.raises(InputError, match="wait for it, or verify when it has ended"):
        verify(stage.run, device)
    assert stage.run.database.read_bytes() == before
    with Writer(stage.run.database) as writer:
        writer.set_spec(space={"kind": "mobilenet"}, versions={"hwnas": "0.0.1"})
    with pytest.raises(InputError, match=r"was made by hwnas 0\.0\.1, and this version cannot rebuild its search space"):
        verify(stage.run, device)
    with Writer(stage.run.database) as writer:
        writer.set_spec(space={"kind": "of tomorrow"})
    with pytest.raises(InputError, match="not here"):
        verify(stage.run, device)


def test_a_search_that_is_not_finished_is_noted(stage: Any) -> None:
    forget_extras(stage.run)
    stage.pretend(as_predicted)
    with Writer(stage.run.database) as writer:
        writer.set_spec(stopped=None)
    told: list[str] = []
    assert verify(stage.run, device_of(stage.run), notice=told.append)["verdict"] == "pass"
    assert "is not finished" in told[0]


def test_a_second_verification_judges_the_corrected_predictions(stage: Any) -> None:
    forget_extras(stage.run)
    stage.pretend(slower)
    verify(stage.run, device_of(stage.run))
    again = verify(stage.run, device_of(stage.run))
    assert again["as_searched"]["within_10"] == 1.0
    assert again["stopped"] == "the predictions hold"
    extras = stage.run.extras()
    assert all(isinstance(known[CORRECTED + "latency_ms"], Quantity) for known in extras.values() if CORRECTED + "latency_ms" in known)
