"""What counts of a run after its predictor was corrected and its points were measured."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from device_profiles.quantity import Quantity
from hwnas.believed import CORRECTED, SEARCHED, Believed
from hwnas.objectives import Objective
from hwnas.run import Run
from hwnas.storage import Evaluation, Writer

POINTS = {(1,): (0.7, 1.0), (2,): (0.8, 2.0), (3,): (0.9, 3.0), (4,): (0.75, 2.5)}


def nothing(archs: Any) -> Any:
    raise AssertionError(archs)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    objectives = [Objective("accuracy", "", "max", True, nothing), Objective("latency_ms", "ms", "min", False, nothing)]
    spec = {"seed": 1, "constraints": ["latency_ms <= 3.5"], "hypervolume_reference": {"accuracy": 0.0, "latency_ms": 10.0}}
    run = Run.create(tmp_path / "run", spec, objectives)
    with Writer(run.database) as writer:
        writer.add([Evaluation(i, arch, ((a, a, a), (t, 0.9 * t, 1.1 * t)), "ok") for i, (arch, (a, t)) in enumerate(POINTS.items(), 1)])
    return run


def on(run: Run) -> list[tuple[int, ...]]:
    return [point.architecture for point in run.front()]


def correct(run: Run, values: dict[tuple[int, ...], float]) -> None:
    run.add_extras([(arch, CORRECTED + "latency_ms", Quantity(t, 0.95 * t, 1.05 * t, "predicted")) for arch, t in values.items()])


def test_without_corrections_it_is_what_the_search_saw(run: Run) -> None:
    believed = Believed.of(run)
    assert believed.keys() == list(POINTS)
    assert believed.allowed.all()
    assert np.array_equal(believed.estimates[:, :, 0], list(POINTS.values()))
    assert on(run) == [(1,), (2,), (3,)]


def test_corrected_predictions_make_another_front_and_say_what_the_search_saw(run: Run) -> None:
    before = [row.numbers().tolist() for row in run.rows()]
    correct(run, {(1,): 1.2, (2,): 2.4, (3,): 3.3, (4,): 1.1})
    assert on(run) == [(4,), (2,), (3,)]
    point = run.front()[0]
    assert point.objectives["latency_ms"].value == 1.1
    assert point.extras[SEARCHED + "latency_ms"].value == 2.5
    assert CORRECTED + "latency_ms" not in point.extras
    assert [row.numbers().tolist() for row in run.rows()] == before  # a search that goes on finds what it wrote


def test_corrections_of_some_only_do_not_count(run: Run) -> None:
    correct(run, {(1,): 1.2, (4,): 1.1})
    assert on(run) == [(1,), (2,), (3,)]


def test_what_violates_a_constraint_now_is_left_out(run: Run) -> None:
    correct(run, {(1,): 1.2, (2,): 2.4, (3,): 3.6, (4,): 3.0})
    assert on(run) == [(1,), (2,)]


def test_a_measurement_leaves_out_only_with_its_whole_interval(run: Run) -> None:
    run.add_extra((3,), "latency_ms", Quantity(3.6, 3.45, 3.7, "measured"))
    assert (3,) in on(run)
    run.add_extra((3,), "latency_ms", Quantity(3.6, 3.55, 3.7, "measured"))
    assert on(run) == [(1,), (2,)]
    assert Believed.of(run).allowed.tolist() == [True, True, False, True]


def test_a_measurement_within_the_bound_brings_back_what_was_predicted_beyond_it(run: Run) -> None:
    correct(run, {(1,): 1.2, (2,): 2.4, (3,): 3.6, (4,): 3.0})
    run.add_extra((3,), "latency_ms", Quantity(3.3, 3.2, 3.4, "measured"))
    assert (3,) in on(run)


def test_a_run_without_a_usable_point_has_an_empty_front(tmp_path: Path) -> None:
    objectives = [Objective("latency_ms", "ms", "min", False, nothing)]
    empty = Run.create(tmp_path / "empty", {"seed": 1, "hypervolume_reference": {"latency_ms": 1.0}}, objectives)
    assert len(empty.front(chances=True)) == 0
    assert empty.chances() == {}


def test_with_corrections_what_was_measured_to_be_beaten_leaves_the_front(run: Run) -> None:
    run.add_extras([((2,), "latency_ms", Quantity(2.0, 1.9, 2.1, "measured")), ((1,), "latency_ms", Quantity(2.3, 2.2, 2.4, "measured"))])
    assert on(run) == [(1,), (2,), (3,)]  # as predicted: the search's own front stays what it was
    correct(run, {(1,): 1.2, (2,): 2.4, (3,): 3.3, (4,): 3.0})
    assert on(run) == [(2,), (3,)]
    run.add_extra((1,), "latency_ms", Quantity(2.3, 2.05, 2.4, "measured"))  # perhaps it is not
    assert on(run) == [(1,), (2,), (3,)]
