"""What an optimiser was told."""

from __future__ import annotations

import runpy
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from hwnas.search import Problem
from hwnas.search.told import Told

toy = SimpleNamespace(**runpy.run_path(str(Path(__file__).parent / "toy_space.py")))
PROBLEM = Problem(toy.ToySpace(1, 4), (toy.score(), toy.cost()))


def test_the_front_leaves_out_failures_and_violations():
    told = Told(PROBLEM)
    told.add(np.array([[0, 0], [0, 1]]), np.array([[-0.5, 1.0], [-0.9, 0.1]]), np.array([0.0, 2.0]))
    told.add(np.array([[0, 2], [0, 3]]), np.array([[np.nan, 0.1], [-0.6, 2.0]]), np.array([0.0, 0.0]))
    assert len(told) == 4
    assert told.learned().tolist() == [True, True, False, True]
    assert told.front().tolist() == [0, 3]


def test_where_nothing_is_feasible_the_front_is_of_all_with_values():
    told = Told(PROBLEM)
    told.add(np.array([[0, 0], [0, 1]]), np.array([[-0.5, 1.0], [-0.9, 0.1]]), np.array([1.0, 2.0]))
    assert told.front().tolist() == [1]
    assert Told(PROBLEM).front().tolist() == []


def test_answers_stay_in_order_and_are_seldom_copied():
    told, copies, before = Told(PROBLEM), 0, None
    for i in range(300):
        told.add(np.array([[0, i % 4], [0, (i + 1) % 4]]), np.array([[-i, i], [i, -i]], dtype=float), np.array([0.0, i]))
        copies += told.values.base is not before
        before = told.values.base
    assert copies <= 10  # room is doubled
    assert told.archs[:, 1].tolist() == [(i + k) % 4 for i in range(300) for k in (0, 1)]
    np.testing.assert_array_equal(told.values[::2], np.column_stack([-np.arange(300.0), np.arange(300.0)]))
    np.testing.assert_array_equal(told.violation[1::2], np.arange(300.0))
