"""Rank agreement: against scipy, and intervals that hold what they should."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kendalltau, pearsonr

from hwnas import ranking

SCORES = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=2, max_size=25)


@given(SCORES)
def test_tau_is_that_of_scipy_ties_included(pairs: list[tuple[int, int]]) -> None:
    a, b = np.array(pairs).T
    expected = kendalltau(a, b).statistic
    assert np.isclose(ranking.tau(a, b), expected, equal_nan=True)


@given(SCORES, st.integers(0, 2**32))
def test_weights_count_how_often_an_item_occurs(pairs: list[tuple[int, int]], seed: int) -> None:
    a, b = np.array(pairs).T
    counts = np.random.default_rng(seed).integers(1, 4, size=(4, len(a)))
    expected = [kendalltau(np.repeat(a, row), np.repeat(b, row)).statistic for row in counts]
    assert np.allclose(ranking.tau(a, b, counts.astype(float)), expected, equal_nan=True)


def test_intervals_hold_the_value_and_narrow_with_more_items() -> None:
    rng = np.random.default_rng(0)
    widths = []
    for n in (10, 100):
        truth = rng.normal(size=n)
        found = ranking.tau_with_interval(truth + rng.normal(size=n), truth, rng)
        assert found is not None
        assert -1 <= found["low"] <= found["value"] <= found["high"] <= 1
        widths.append(found["high"] - found["low"])
    assert widths[1] < widths[0] / 2
    assert ranking.tau_with_interval([1, 1, 1], [1, 2, 3], rng) is None


def test_chance_is_centred_on_nothing() -> None:
    chance = ranking.tau_of_chance(np.arange(12), np.random.default_rng(0))
    assert chance is not None
    assert abs(chance["value"]) < 0.05
    assert chance["low"] < -0.2 < 0.2 < chance["high"]
    assert ranking.tau_of_chance([1, 1], np.random.default_rng(0)) is None


def test_the_smaller_numbers() -> None:
    a, b = np.array([0.1, 0.5, 0.4, 0.9]), np.array([0.2, 0.4, 0.7, 0.6])
    assert ranking.correlation(a, b) == pytest.approx(pearsonr(a, b).statistic)
    assert ranking.correlation(a, np.ones(4)) is None
    assert ranking.picked_rank(a, b, 1) == 2
    assert ranking.picked_rank(a, b, 3) == 1
    assert ranking.mean_tau([a, a, -a]) == pytest.approx(-1 / 3)
    assert ranking.mean_tau([a]) is None
    assert ranking.mean_tau([a, np.ones(4)]) is None
