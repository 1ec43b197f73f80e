"""Expected hypervolume improvement against drawing values and measuring the volume."""

from __future__ import annotations

import numpy as np
import pytest

from hwnas.front import hypervolume
from hwnas.search.surrogate.improvement import Cells, expected_improvement, largest


def drawn(costs, values, candidate, mean, deviation, corner, draws=4000):
    """The improvement by drawing the value of one candidate and measuring the hypervolume with and without it."""
    told = np.column_stack([costs, values])
    before = hypervolume(told, corner)
    samples = np.exp(np.random.default_rng(0).normal(mean, deviation, draws))
    return np.mean([hypervolume(np.vstack([told, [*candidate, v]]), corner) - before for v in samples])


def test_two_objectives_agree_with_sampling():
    costs, values = np.array([[1.0], [2.0], [3.0]]), np.array([0.9, 0.5, 0.3])
    candidates, mean, deviation = np.array([[0.5], [1.5], [2.5], [3.5]]), np.log([0.9, 0.6, 0.4, 0.35]), np.array([0.2, 0.3, 0.5, 0.1])
    cells = Cells.of(costs, values, candidates, np.array([4.0]), 1.0, np.empty((0, 1)))
    got = expected_improvement(cells, mean, deviation)
    want = [drawn(costs, values, c, m, s, np.array([4.0, 1.0])) for c, m, s in zip(candidates, mean, deviation, strict=True)]
    np.testing.assert_allclose(got, want, rtol=0.1, atol=2e-3)


def test_three_objectives_agree_with_sampling():
    rng = np.random.default_rng(1)
    costs, values = rng.random((6, 2)), rng.uniform(0.3, 0.9, 6)
    candidates, mean, deviation = rng.random((3, 2)) * 0.6, np.log([0.5, 0.4, 0.6]), np.array([0.3, 0.2, 0.4])
    cells = Cells.of(costs, values, candidates, np.ones(2), 1.0, rng.random((20_000, 2)))
    got = expected_improvement(cells, mean, deviation)
    want = [drawn(costs, values, c, m, s, np.ones(3)) for c, m, s in zip(candidates, mean, deviation, strict=True)]
    np.testing.assert_allclose(got, want, rtol=0.1, atol=5e-3)


def test_one_objective_is_plain_expected_improvement():
    cells = Cells.of(np.empty((3, 0)), np.array([0.9, 0.5, 0.7]), np.empty((2, 0)), np.empty(0), 1.0, np.empty((256, 0)))
    sure = expected_improvement(cells, np.log([0.4, 0.6]), np.array([1e-9, 1e-9]))
    np.testing.assert_allclose(sure, [0.1, 0.0], atol=1e-6)


def test_beyond_the_corner_there_is_nothing_to_gain():
    cells = Cells.of(np.array([[1.0]]), np.array([0.5]), np.array([[9.0]]), np.array([4.0]), 1.0, np.empty((0, 1)))
    assert expected_improvement(cells, np.log([0.1]), np.array([0.1])) == pytest.approx(0.0)


@pytest.mark.parametrize("columns", [0, 1, 2])
def test_the_largest_is_found_without_computing_all_again(columns):
    rng = np.random.default_rng(columns)
    costs, mean, deviation = rng.random((3000, columns)), rng.normal(-1, 0.5, 3000), rng.uniform(0.01, 0.5, 3000)
    told, values, points, computed = rng.random((5, columns)), np.ones(5), rng.random((64, columns)), 0

    def gain(rows):
        nonlocal computed
        computed += len(rows)
        return expected_improvement(Cells.of(told, values, costs[rows], np.ones(columns), 1.0, points), mean[rows], deviation[rows])

    gains, taken = gain(np.arange(3000)), []
    for _ in range(20):
        taken.append(largest(gains, gain))
        everything = gain(np.arange(3000))
        computed -= 3000
        everything[taken[:-1]] = -1.0
        assert taken[-1] == everything.argmax()
        gains[taken[-1]] = -1.0
        told, values = np.vstack([told, costs[taken[-1]]]), np.append(values, np.exp(mean[taken[-1]]))
    assert len(set(taken)) == 20
    assert columns == 0 or computed < 20 * 3000 / 2
