"""The kernel against the plain definition of dominance."""

from __future__ import annotations

import numpy as np
import pytest

from hwnas.front import non_dominated
from hwnas.search.exact_kernel import front_index, thinned


@pytest.mark.parametrize("m", [1, 2, 3])
@pytest.mark.parametrize("kind", ["distinct", "ties"])
def test_finds_every_undominated_point_once_in_order(m, kind):
    for seed in range(20):
        rng = np.random.default_rng(seed)
        points = rng.random((m, 60)) if kind == "distinct" else rng.integers(0, 5, (m, 60)).astype(float)
        found = points[:, front_index(points)]
        expected = np.unique(points[:, non_dominated(points.T)], axis=1)
        np.testing.assert_array_equal(found, expected)  # unique sorts as the kernel does


def test_nothing_in_nothing_out():
    assert len(front_index(np.empty((2, 0)))) == 0


@pytest.mark.parametrize("m", [2, 3])
def test_thinning_states_what_it_may_have_cost(m):
    rng = np.random.default_rng(0)
    points = np.abs(rng.standard_normal((m, 20_000)))
    points /= np.linalg.norm(points, axis=0)  # all on the front
    points = 1 - points
    kept, lost = thinned(points, 100)
    assert 20 <= len(kept) < 200 < points.shape[1]
    assert lost[-1] == 0
    behind = (points[:, kept][:, None, :] - points[:, :, None]) <= lost[:, None, None] + 1e-12  # (m, all, kept)
    assert behind.all(axis=0).any(axis=1).all()


def test_few_points_are_left_alone():
    kept, lost = thinned(np.random.default_rng(0).random((2, 50)), 100)
    assert len(kept) == 50
    assert not lost.any()
