"""SHGO over whole numbers finds what it should, with few looks, and the same every time."""

from __future__ import annotations

import numpy as np
import pytest

from hwnas.search.homology import shgo


class Counting:
    """A function that counts the points it is asked for."""

    def __init__(self, fn):
        self.fn, self.points = fn, []

    def __call__(self, points):
        self.points.extend(map(tuple, points.tolist()))
        return self.fn(points)


def bowl(points):
    return ((points - np.array([11, 3, 7])) ** 2 * np.array([1.0, 3.0, 0.5])).sum(axis=1)


def two_valleys(points):
    """The deeper valley is at (17, 2), the wider one at (4, 14)."""
    wide = ((points - np.array([4, 14])) ** 2).sum(axis=1) / 40.0
    deep = ((points - np.array([17, 2])) ** 2).sum(axis=1) / 10.0 - 1.0
    return np.minimum(wide, deep)


@pytest.mark.parametrize("seed", range(5))
def test_finds_the_least_of_a_bowl_with_few_looks(seed):
    fn = Counting(bowl)
    found = shgo(fn, (20, 20, 20), 24, np.random.default_rng(seed))
    assert bowl(found[None])[0] <= 1.0
    assert len(fn.points) == len(set(fn.points)) < 400  # of 8,000


@pytest.mark.parametrize("seed", range(5))
def test_tells_the_deeper_of_two_valleys(seed):
    assert shgo(two_valleys, (20, 20), 24, np.random.default_rng(seed)).tolist() == [17, 2]


@pytest.mark.parametrize("limits", [(2,), (30,), (2, 2), (3, 2, 2, 2), (2, 40), (6, 6, 6, 6)])
def test_takes_grids_of_every_shape(limits):
    fn = Counting(lambda points: points.sum(axis=1).astype(float))
    assert shgo(fn, limits, 16, np.random.default_rng(0)).tolist() == [0] * len(limits)
    assert all(0 <= place < limit for point in fn.points for place, limit in zip(point, limits, strict=True))


def test_a_small_grid_is_looked_at_whole():
    fn = Counting(lambda points: -points.sum(axis=1).astype(float))
    assert shgo(fn, (2, 3, 2), 16, np.random.default_rng(0)).tolist() == [1, 2, 1]
    assert len(fn.points) == 12


def test_a_constant_has_some_least_point():
    assert shgo(lambda points: np.zeros(len(points)), (9, 9), 16, np.random.default_rng(0)).shape == (2,)


def test_the_generator_decides_where_it_looks():
    def looks(seed):
        fn = Counting(bowl)
        shgo(fn, (20, 20, 20), 24, np.random.default_rng(seed))
        return fn.points

    assert looks(0) == looks(0) != looks(1)
