"""The front against other people's code and against the definition."""

from __future__ import annotations

import itertools
import json

import moocore
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from device_profiles.errors import InputError
from device_profiles.quantity import Quantity
from hwnas.front import Archive, Front, hypervolume, knee, non_dominated

# Few distinct numbers, so that ties and equal rows happen often.
VALUES = st.sampled_from([0.0, -0.0, 1.0, 2.0, 3.0, 4.5, np.inf, -np.inf, np.nan])
FINITE = st.integers(0, 5).map(float)


def tables(elements, rows=25, columns=4):
    return hnp.arrays(np.float64, st.tuples(st.integers(0, rows), st.integers(1, columns)), elements=elements)


def by_definition(values):
    known = ~np.isnan(values).any(axis=1)
    dominated = [
        any(known[j] and (values[j] <= values[i]).all() and (values[j] < values[i]).any() for j in range(len(values)))
        for i in range(len(values))
    ]
    return known & ~np.array(dominated, dtype=bool)


@given(tables(VALUES))
def test_non_dominated_is_the_definition(values):
    np.testing.assert_array_equal(non_dominated(values), by_definition(values))


@given(tables(FINITE, rows=40))
@settings(max_examples=50)
def test_non_dominated_agrees_with_moocore_and_pymoo(values):
    from pymoo.util.nds.non_dominated_sorting import NonDominatedSorting

    if len(values) == 0 or values.shape[1] == 1:  # moocore wants two columns
        return
    mask = non_dominated(values)
    np.testing.assert_array_equal(mask, moocore.is_nondominated(values, keep_weakly=True))
    np.testing.assert_array_equal(np.flatnonzero(mask), np.sort(NonDominatedSorting().do(values, only_non_dominated_front=True)))


@pytest.mark.parametrize("columns", [1, 2, 3, 5])
def test_non_dominated_agrees_with_moocore_on_many_rows(columns):
    values = np.random.default_rng(0).normal(size=(3000, columns))
    expected = moocore.is_nondominated(values, keep_weakly=True) if columns > 1 else values[:, 0] == values.min()
    np.testing.assert_array_equal(non_dominated(values), expected)


def test_one_nan_does_not_destroy_the_front():
    values = np.array([[1.0, 3.0], [np.nan, 0.0], [2.0, 2.0], [3.0, np.nan], [3.0, 1.0], [3.0, 3.0]])
    assert non_dominated(values).tolist() == [True, False, True, False, True, False]
    assert not non_dominated(np.full((3, 2), np.nan)).any()


def test_a_front_is_not_its_convex_hull():
    # (2, 2.5) lies above the chord from (1, 3) to (3, 1): not on the hull, and on the front all the same.
    assert non_dominated(np.array([[1.0, 3.0], [2.0, 2.5], [3.0, 1.0]])).all()


def test_non_dominated_refuses_a_vector():
    with pytest.raises(InputError, match="shape"):
        non_dominated(np.zeros(3))


def cells(values, reference):
    """The hypervolume of whole numbers, by counting unit cells."""
    grid = itertools.product(*(range(int(r)) for r in reference))
    return sum(any((row <= cell).all() for row in values if not np.isnan(row).any()) for cell in grid)


@given(
    hnp.arrays(
        np.float64, st.tuples(st.integers(0, 8), st.integers(1, 3)), elements=st.sampled_from([0.0, 1.0, 2.0, 3.0, 4.0, 5.0, np.nan])
    )
)
@settings(max_examples=60)
def test_hypervolume_counts_cells_and_ignores_nan(values):
    reference = np.full(values.shape[1], 4.0)
    assert hypervolume(values, reference) == pytest.approx(cells(values, reference))


def test_hypervolume_counts_nothing_beyond_the_reference():
    assert hypervolume([[1.0, 5.0], [4.0, 0.0], [np.inf, -np.inf]], [4.0, 4.0]) == 0.0
    assert hypervolume([[1.0, 1.0], [0.0, 9.0]], [4.0, 4.0]) == 9.0
    assert hypervolume(np.empty((0, 2)), [1.0, 1.0]) == 0.0
    with pytest.raises(InputError, match="finite reference"):
        hypervolume([[1.0, 1.0]], [np.nan, 1.0])


@given(tables(FINITE, rows=15, columns=3))
@settings(max_examples=50)
def test_an_archive_is_the_front_so_far(values):
    archive = Archive(values.shape[1])
    for i, row in enumerate(values):
        before = archive.values.copy()
        changed = archive.add(row)
        front = values[: i + 1][non_dominated(values[: i + 1])]
        assert len(archive) == len(front)
        np.testing.assert_array_equal(np.unique(archive.values, axis=0), np.unique(front, axis=0))
        assert changed == (not np.array_equal(np.unique(before, axis=0), np.unique(archive.values, axis=0)))
    assert not Archive(2).add([np.nan, 1.0])


def test_the_knee_is_farthest_from_the_chord_whatever_the_units():
    front = np.array([[0.0, 10.0], [1.0, 4.0], [2.0, 3.5], [10.0, 0.0]])
    assert knee(front) == 1
    assert knee(front * [1000.0, 0.001]) == 1
    # By the formula for the distance of a point from a line, on scaled axes.
    scaled = front / 10
    a, b = scaled[0], scaled[-1]
    distance = [(b[0] - a[0]) * (a[1] - p[1]) - (a[0] - p[0]) * (b[1] - a[1]) for p in scaled]
    assert int(np.argmax(distance)) == 1


def test_the_knee_of_one_point_of_ties_and_of_nothing():
    assert knee([[3.0, 4.0]]) == 0
    assert knee([[3.0, 4.0], [3.0, 4.0]]) == 0
    assert knee([[0.0, 1.0], [1.0, 0.0]]) == 0
    with pytest.raises(InputError, match="no knee"):
        knee(np.empty((0, 2)))


RECORDS = [
    {"name": "accuracy", "unit": "share", "direction": "max", "origin": "measured"},
    {"name": "latency_ms", "unit": "ms", "direction": "min", "origin": "predicted"},
]


def example():
    """Four points of which one is dominated, in no order, and two that are equal."""
    architectures = np.array([[3, 0], [1, 1], [2, 0], [0, 0], [1, 0]])
    values = np.array([[0.9, 3.0], [0.6, 2.0], [0.8, 3.5], [0.5, 1.0], [0.6, 2.0]])
    estimates = np.stack([values, values - 0.1, values + 0.2], axis=2)
    extras = {(3, 0): {"test_accuracy": Quantity(0.88, 0.86, 0.9, "measured"), "latency_ms": Quantity(3.1, 3.0, 3.2, "measured")}}
    return Front.of(architectures, RECORDS, estimates, extras)


def test_a_front_is_sorted_by_its_first_cost_and_keeps_equal_rows():
    front = example()
    assert front.architectures.tolist() == [[0, 0], [1, 0], [1, 1], [3, 0]]
    assert front.values[:, 1].tolist() == [1.0, 2.0, 2.0, 3.0]
    assert front.lows[0].tolist() == [0.4, 0.9]
    assert (front.names, front.directions, front.units) == (("accuracy", "latency_ms"), ("max", "min"), ("share", "ms"))


def test_the_order_does_not_depend_on_the_order_of_rows():
    rng = np.random.default_rng(0)
    archs, values = np.arange(60).reshape(30, 2), rng.integers(0, 4, size=(30, 2)).astype(float)
    estimates = np.stack([values] * 3, axis=2)
    order = rng.permutation(30)
    one, other = Front.of(archs, RECORDS, estimates), Front.of(archs[order], RECORDS, estimates[order])
    np.testing.assert_array_equal(one.architectures, other.architectures)


def test_points_carry_quantities():
    point = example()[-1]
    assert point.architecture == (3, 0)
    assert point.objectives["latency_ms"] == Quantity(3.0, 2.9, 3.2, "predicted")
    assert point.objectives["accuracy"].origin == "measured"
    assert point.extras["test_accuracy"].value == 0.88
    assert len(list(example())) == len(example()) == 4


def test_hypervolume_and_knee_of_a_front():
    front = example()
    assert front.hypervolume({"accuracy": 0.0, "latency_ms": 4.0}) == pytest.approx(0.5 + 0.6 + 0.9)
    assert front.knee().architecture == front[front.knee_index()].architecture


def test_columns_csv_and_dataframe_agree(tmp_path):
    import pandas

    front = example()
    front.to_csv(tmp_path / "front.csv")
    read, frame = pandas.read_csv(tmp_path / "front.csv"), front.to_dataframe()
    assert read.columns.tolist() == frame.columns.tolist()
    assert frame.columns[:4].tolist() == ["architecture", "accuracy", "accuracy_low", "accuracy_high"]
    assert read["latency_ms"].tolist() == frame["latency_ms"].tolist() == [1.0, 2.0, 2.0, 3.0]
    assert [json.loads(text) for text in read["architecture"]] == front.architectures.tolist()
    assert read["test_accuracy"].tolist()[-1] == 0.88
    assert read["extra_latency_ms_high"].tolist()[-1] == 3.2
    assert read["test_accuracy"].isna().tolist() == [True, True, True, False]


def test_a_file_that_cannot_be_written_is_named(tmp_path):
    with pytest.raises(InputError, match=r"cannot write .*front.csv"):
        example().to_csv(tmp_path / "missing" / "front.csv")


def test_json_holds_quantities():
    data = json.loads(json.dumps(example().to_json(), allow_nan=False))
    last = data["points"][-1]
    assert last["latency_ms"] == {"value": 3.0, "low": 2.9, "high": 3.2, "origin": "predicted"}
    assert last["extras"]["latency_ms"]["origin"] == "measured"
    assert data["objectives"][0] == {"name": "accuracy", "unit": "share", "direction": "max"}


def test_an_empty_front_says_so(tmp_path):
    front = Front.of(np.empty((0, 2), dtype=np.int64), RECORDS, np.empty((0, 2, 3)))
    assert len(front) == 0
    assert front.to_json()["knee"] is None
    assert front.hypervolume({"accuracy": 0.0, "latency_ms": 1.0}) == 0.0
    front.to_csv(tmp_path / "front.csv")
    with pytest.raises(InputError, match="empty front"):
        front.knee()
