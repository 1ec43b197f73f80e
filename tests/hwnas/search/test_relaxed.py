"""The extension of a function of whole numbers to the points between them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwnas.search.relaxed import Relaxed

LIMITS = (4, 2, 6)


def rough(points):
    """A function without any order in it."""
    return np.sin(7.1 * points @ np.array([1.0, 2.3, 5.7])) * 3


def test_at_grid_points_it_is_the_function_and_asks_for_each_once():
    asked = []

    def fn(points):
        asked.extend(map(tuple, points.tolist()))
        return rough(points)

    relaxed = Relaxed(fn, LIMITS)
    grid = np.indices(LIMITS).reshape(3, -1).T
    np.testing.assert_allclose(relaxed.many(grid.astype(float)), rough(grid), atol=1e-9)
    assert sorted(asked) == sorted(map(tuple, grid.tolist()))
    np.testing.assert_array_equal(relaxed.best(), grid[np.argmin(rough(grid))])


def test_a_linear_function_is_itself_and_its_slopes_are_its_slopes():
    weights = np.array([1.0, -2.0, 0.5])
    relaxed = Relaxed(lambda points: points @ weights + 3, LIMITS)
    x = np.array([[0.2, 0.9, 4.4], [2.99, 0.0, 0.01], [3.0, 1.0, 5.0]])
    np.testing.assert_allclose(relaxed.many(x), x @ weights + 3)
    for point in x:
        np.testing.assert_allclose(relaxed(point)[1], weights)


@given(st.tuples(*(st.floats(0, limit - 1) for limit in LIMITS)))
def test_between_it_lies_between_the_corners_and_costs_at_most_four(x):
    asked = []

    def fn(points):
        asked.extend(points.tolist())
        return rough(points)

    value, slopes = Relaxed(fn, LIMITS)(np.array(x))
    corners = rough(np.array(asked))
    assert len(asked) <= 4
    assert corners.min() - 1e-9 <= value <= corners.max() + 1e-9
    assert slopes.shape == (3,)


def test_it_is_continuous_and_the_slopes_are_those_of_its_simplex():
    relaxed = Relaxed(rough, LIMITS)
    line = np.linspace([0.0, 0.0, 0.0], [3.0, 1.0, 5.0], 4001) + np.array([0.003, 0.001, 0.0007])
    values = relaxed.many(np.minimum(line, np.array(LIMITS) - 1.0))
    assert np.abs(np.diff(values)).max() < 0.05  # a step of 1/800 of a cube; heights differ by at most 6 per unit
    x, step = np.array([1.3, 0.6, 2.1]), 1e-6
    value, slopes = relaxed(x)
    for i in range(3):
        moved = x + step * np.eye(3)[i]
        assert (relaxed(moved)[0] - value) / step == pytest.approx(slopes[i], abs=1e-6)


def test_points_outside_are_brought_within():
    relaxed = Relaxed(rough, LIMITS)
    assert relaxed(np.array([-5.0, 9.0, 2.0]))[0] == relaxed(np.array([0.0, 1.0, 2.0]))[0]
