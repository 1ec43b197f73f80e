"""The scale on which models are fitted."""

from __future__ import annotations

import numpy as np

from hwnas.objectives import Objective
from hwnas.search.surrogate.straight import straightened


def objective(direction, bounds):
    return Objective("o", "", direction, True, lambda archs: archs[:, 0], bounds)


def test_distance_to_the_best_bound_as_a_logarithm():
    values = np.array([-0.9, -0.5, -1.0])
    np.testing.assert_allclose(straightened(objective("max", (0.0, 1.0)), values), np.log([0.1, 0.5, 1e-9]))
    np.testing.assert_allclose(straightened(objective("min", (2.0, np.inf)), np.array([3.0, 4.0])), np.log([1.0, 2.0]))


def test_without_a_best_bound_nothing_changes():
    values = np.array([-0.9, 3.0])
    for bounds in (None, (0.0, np.inf)):
        np.testing.assert_array_equal(straightened(objective("max", bounds), values), values)
