"""P(on the front) against numbers that can be worked out, and against drawing by hand."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np
import pytest

from device_profiles.quantity import Quantity
from hwnas.chances import Spread, chances, on_fronts
from hwnas.front import non_dominated
from hwnas.objectives import Constraint, Objective
from hwnas.ranking_error import RankingError
from hwnas.run import Run
from hwnas.storage import Evaluation, Writer

NORMAL_90 = 1.6448536269514722


def spread(values: Any, sd: Any, directions: tuple[str, ...] = ("min", "max"), *constraints: str) -> Spread:
    rows = np.array(values, dtype=np.float64)
    sides = np.broadcast_to(np.asarray(sd, dtype=np.float64), rows.shape)
    names = ("latency_ms", "accuracy", "area_mm2")[: rows.shape[1]]
    return Spread(rows, sides, sides, names, directions, tuple(Constraint.parse(text) for text in constraints))


@pytest.mark.parametrize("m", [1, 2, 3])
def test_many_fronts_at_once_are_those_of_each_set(m: int) -> None:
    rng = np.random.default_rng(m)
    for n in (1, 2, 17):
        costs = rng.integers(0, 6, (40, n, m)).astype(np.float64)  # whole numbers, so that rows are equal and columns tie
        costs[rng.random((40, n)) < 0.15] = np.nan
        assert np.array_equal(on_fronts(costs), [non_dominated(rows) for rows in costs])


def test_what_is_known_exactly_is_on_the_front_or_not() -> None:
    exact = spread([[1.0, 0.5], [2.0, 0.7], [3.0, 0.6], [2.0, 0.7]], 0.0)
    assert chances(exact, np.random.default_rng(0)).tolist() == [1.0, 1.0, 0.0, 1.0]


def test_two_points_differ_as_the_normal_distribution_says() -> None:
    two = spread([[1.0], [1.1]], 0.1, ("min",))
    expected = NormalDist().cdf(0.1 / (0.1 * np.sqrt(2)))
    found = chances(two, np.random.default_rng(0), draws=20_000)
    assert found == pytest.approx([expected, 1 - expected], abs=0.01)


def test_a_constraint_that_may_be_violated_halves_the_chance_and_frees_those_beaten() -> None:
    at_bound = spread([[1.0, 0.9], [0.9, 0.5]], [[0.1, 0.0], [0.0, 0.0]], ("min", "max"), "latency_ms <= 1")
    found = chances(at_bound, np.random.default_rng(0), draws=4000)
    assert found[0] == pytest.approx(0.5, abs=0.03)
    assert found[1] == pytest.approx(1 - NormalDist(1.0, 0.1).cdf(0.9), abs=0.03)
    beaten = spread([[0.99, 0.9], [0.995, 0.5]], [[0.1, 0.0], [0.0, 0.0]], ("min", "max"), "latency_ms <= 1")
    assert chances(beaten, np.random.default_rng(0), draws=4000)[1] == pytest.approx(1 - NormalDist(0.99, 0.1).cdf(0.995), abs=0.03)


def test_leaving_out_hopeless_rows_changes_no_chance() -> None:
    rng = np.random.default_rng(5)
    values = np.stack([rng.uniform(1, 10, 150), rng.uniform(0, 1, 150)], axis=1)
    many = spread(values, [0.4, 0.03], ("min", "max"), "latency_ms <= 8")
    assert len(many.contenders()) < 100
    found = chances(many, np.random.default_rng(1), draws=3000)
    by_hand = on_fronts(many.costs(np.random.default_rng(2).standard_normal((3000, *values.shape)))).mean(axis=0)
    assert found == pytest.approx(by_hand, abs=0.06)
    assert 1 < found.sum() < 60


def test_draws_keep_the_two_ends_of_an_interval() -> None:
    skewed = Spread(np.array([[1.0]]), np.array([[0.1]]), np.array([[0.5]]), ("latency_ms",), ("min",))
    drawn = skewed.costs(np.random.default_rng(0).standard_normal((40_000, 1, 1)))[:, 0, 0]
    assert np.quantile(drawn, [0.05, 0.95]) == pytest.approx([1 - 0.1 * NORMAL_90, 1 + 0.5 * NORMAL_90], rel=0.02)


def nothing(archs: Any) -> Any:
    raise AssertionError(archs)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Three points, the last of which is dominated by little."""
    objectives = [Objective("accuracy", "", "max", True, nothing), Objective("latency_ms", "ms", "min", False, nothing)]
    run = Run.create(tmp_path / "run", {"seed": 1, "hypervolume_reference": {"accuracy": 0.0, "latency_ms": 10.0}}, objectives)
    estimates = [(0.70, 1.0), (0.80, 2.0), (0.79, 2.1)]
    rows = [
        Evaluation(i, (i,), ((a, a - 0.02, a + 0.02), (t, 0.9 * t, 1.1 * t)), "ok", started="", seconds=0.0)
        for i, (a, t) in enumerate(estimates, 1)
    ]
    with Writer(run.database) as writer:
        writer.add(rows)
    return run


def test_a_run_tells_it_of_every_architecture_and_its_files_of_the_front(run: Run) -> None:
    found = run.chances()
    assert set(found) == {(1,), (2,), (3,)}
    assert found[(1,)] > 0.99
    assert 0.1 < found[(3,)] < found[(2,)] < 1
    assert run.chances() == found
    front = run.front(chances=True)
    assert [point.chance for point in front] == [found[(1,)], found[(2,)]]
    assert [point.chance for point in run.front()] == [None, None]
    run.write_front()
    header, first, *_ = (run.path / "front.csv").read_text().splitlines()
    assert float(first.split(",")[header.split(",").index("p_front")]) == found[(1,)]
    assert '"p_front":' in (run.path / "front.json").read_text()


def test_a_measurement_replaces_a_prediction(run: Run) -> None:
    before = run.chances()
    run.add_extra((3,), "latency_ms", Quantity(1.5, 1.49, 1.51, "measured"))
    assert before[(3,)] < 0.6 < run.chances()[(3,)]


def test_the_ranking_error_of_an_audit_makes_an_accuracy_less_sure(run: Run) -> None:
    from hwnas.believed import Believed

    believed = Believed.of(run)
    sure = Spread.of(believed, {})
    unsure = Spread.of(believed, {"accuracy": RankingError(1.0, 0.1)})
    assert unsure.below[0, 0] == pytest.approx(np.hypot(0.1, sure.below[0, 0]))
    rng = np.random.default_rng(0)
    assert chances(unsure, rng)[2] > chances(replace(sure, below=0 * sure.below, above=0 * sure.above), rng)[2]
    # A super-network whose ranking says nothing leaves the fastest alone to be sure of.
    useless = chances(Spread.of(believed, {"accuracy": RankingError(0.0, 0.0)}), rng)
    assert useless[0] > 0.99
    assert useless[1:].max() < 0.01


def test_a_run_finds_the_audit_of_its_own_weights(run: Run, tmp_path: Path) -> None:
    before = run.chances()
    x = np.linspace(0.5, 0.8, 8)
    rows = [{"inherited": {"value": float(v)}, "alone": [float(v) + (0.2 if i % 2 else -0.2)]} for i, v in enumerate(x)]
    (tmp_path / "supernet").mkdir()
    (tmp_path / "supernet" / "audit.json").write_text(json.dumps({"architectures": rows, "noise": None, "checkpoint_sha256": "ab"}))
    with Writer(run.database) as writer:
        writer.set_spec(supernet={"path": "../supernet", "sha256": "cd"})
    assert run.chances() == before  # the audit is about other weights
    with Writer(run.database) as writer:
        writer.set_spec(supernet={"path": "../supernet", "sha256": "ab"})
    after = run.chances()
    assert after[(2,)] < before[(2,)]
    assert after[(1,)] > 0.99  # the fastest is on the front whatever its accuracy
