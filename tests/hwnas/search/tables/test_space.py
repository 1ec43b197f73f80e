"""A table as a search space."""

from __future__ import annotations

import numpy as np
import pytest

from device_profiles.errors import InputError
from hwnas.search import search
from hwnas.search.tables import TableSpace
from hwnas.search.tables.table import make_table


def grid(holes=()):
    """Four choices of three values, all combinations but the holes; accuracy and latency recorded for two devices."""
    archs = np.delete(np.indices((3,) * 4).reshape(4, -1).T, list(holes), axis=0)
    score = 1 - 0.5 * np.exp(-archs.sum(axis=1) / 4)
    latency = 1.0 + archs @ [1.0, 0.5, 0.2, 0.1]
    values = {f"c{i}": archs[:, i] for i in range(4)}
    return make_table("grid", values, {"accuracy": {"": score}, "latency_ms": {"a": latency, "b": 2 * latency}})


def test_a_complete_table_changes_nothing():
    space = TableSpace(grid())
    archs = np.random.default_rng(0).integers(0, 3, (50, 4))
    assert space.complete
    np.testing.assert_array_equal(space.canonical(archs), archs)
    np.testing.assert_array_equal(space.table.archs[space.rows(archs)], archs)


def test_what_was_not_recorded_stands_for_the_nearest_that_was():
    table = grid(holes=range(0, 81, 2))
    space = TableSpace(table)
    archs = np.indices((3,) * 4).reshape(4, -1).T
    nearest = space.canonical(archs)
    distance = (archs[:, None] != table.archs[None]).sum(axis=2)
    np.testing.assert_array_equal((archs != nearest).sum(axis=1), distance.min(axis=1))
    np.testing.assert_array_equal(nearest, table.archs[distance.argmin(axis=1)])
    np.testing.assert_array_equal(space.canonical(nearest), nearest)


def test_samples_are_rows_each_as_likely():
    space = TableSpace(grid(holes=range(1, 80)))
    drawn = space.sample(400, np.random.default_rng(0))
    assert sorted(map(tuple, np.unique(drawn, axis=0).tolist())) == [(0,) * 4, (1,) * 4]  # values that no row has are no choice
    assert 150 < (drawn[:, 0] == 0).sum() < 250


def test_objectives_are_the_recorded_numbers():
    space = TableSpace(grid())
    accuracy, latency = space.objective("accuracy"), space.objective("latency_ms", "b")
    assert (accuracy.direction, accuracy.expensive, latency.direction, latency.expensive) == ("max", True, "min", False)
    assert latency.unit == "ms"
    archs = space.sample(9, np.random.default_rng(1))
    np.testing.assert_allclose(latency.evaluate(archs).values, 2 * (1.0 + archs @ [1.0, 0.5, 0.2, 0.1]))
    for wrong, message in (("energy_mj", "unknown column of grid"), ("latency", "did you mean 'latency_ms'")):
        with pytest.raises(InputError, match=message):
            space.objective(wrong)


@pytest.mark.parametrize("algorithm", ["nsga2", "surrogate", "exact"])
def test_every_evaluation_is_a_recorded_row(algorithm, tmp_path):
    table = grid(holes=range(0, 81, 3))
    space = TableSpace(table)
    run = search(
        space, [space.objective("accuracy"), space.objective("latency_ms", "a")], ["latency_ms <= 3"], algorithm, 100, 0, out=tmp_path
    )
    rows = run.evaluations()
    usable = (table.column("latency_ms", "a") <= 3).sum()
    assert (rows["status"] == "ok").sum() == len(rows) == usable
    assert {tuple(a) for a in rows["architecture"].tolist()} <= {tuple(a) for a in table.archs.tolist()}


def test_there_are_no_networks():
    space = TableSpace(grid())
    for call in (lambda: space.network([0] * 4), space.supernet):
        with pytest.raises(InputError, match="grid is a recorded table"):
            call()
