"""Intervals of counted shares."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from device_profiles.errors import InputError
from hwnas.accuracy.interval import wilson


@given(st.integers(1, 5000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), st.sampled_from([0.5, 0.9, 0.99]))
def test_agrees_with_scipy(case: tuple[int, int], level: float) -> None:
    successes, trials = case
    low, high = wilson(successes, trials, level)
    expected = binomtest(successes, trials).proportion_ci(level, method="wilson")
    assert (float(low), float(high)) == pytest.approx((expected.low, expected.high), abs=1e-9)
    assert 0 <= low <= successes / trials <= high <= 1


def test_takes_arrays_and_has_a_width_at_the_ends() -> None:
    low, high = wilson([0, 50, 100], 100)
    assert low.shape == high.shape == (3,)
    assert np.all(high - low > 0.02)


def test_covers_the_truth_about_nine_times_in_ten() -> None:
    rng = np.random.default_rng(0)
    low, high = wilson(rng.binomial(359, 0.97, 20000), 359)
    assert 0.87 < np.mean((low <= 0.97) & (high >= 0.97)) < 0.93


@pytest.mark.parametrize(("trials", "level"), [(0, 0.9), (10, 0.0), (10, 1.0)])
def test_needs_trials_and_a_level(trials: int, level: float) -> None:
    with pytest.raises(InputError, match="needs trials"):
        wilson(0, trials, level)
