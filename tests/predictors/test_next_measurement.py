from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from device_profiles.errors import InputError
from predictors.next_measurement import next_measurements

NOISE = 0.1


def left(factor: np.ndarray, chosen: list[int], weights: np.ndarray | None = None) -> float:
    """Sum of variances after measuring, straight from the definition."""
    rows = factor[chosen]
    kernel = factor @ factor.T
    gained = kernel[:, chosen] @ np.linalg.solve(rows @ rows.T + NOISE**2 * np.eye(len(chosen)), kernel[chosen])
    variances = np.diag(kernel - gained)
    return float(variances.sum() if weights is None else variances @ weights)


@given(st.integers(0, 10**6))
def test_each_step_is_the_best_one_there_is(seed: int) -> None:
    rng = np.random.default_rng(seed)
    factor, weights = rng.normal(size=(12, 4)), rng.uniform(0, 1, 12)
    chosen = next_measurements(factor, NOISE, 4, weights=weights)
    assert len(set(chosen)) == 4
    for step in range(4):
        before = chosen[:step]
        best = min(left(factor, [*before, i], weights) for i in range(12) if i not in before)
        assert left(factor, chosen[: step + 1], weights) == pytest.approx(best, rel=1e-8)


def test_what_was_measured_counts_and_is_not_proposed() -> None:
    factor = np.random.default_rng(0).normal(size=(30, 5))
    order = next_measurements(factor, NOISE, 8)
    assert next_measurements(factor, NOISE, 5, measured=order[:3]) == order[3:]


def test_dear_items_are_left_for_later() -> None:
    factor = np.eye(3)
    assert next_measurements(factor, NOISE, 3, costs=[3.0, 1.0, 2.0]) == [1, 2, 0]


def test_no_more_than_there_are() -> None:
    assert sorted(next_measurements(np.eye(3), NOISE, 10)) == [0, 1, 2]


@pytest.mark.parametrize("index", [-1, 3])
def test_an_index_out_of_range_is_refused(index: int) -> None:
    with pytest.raises(InputError, match="not within 0 to 2"):
        next_measurements(np.eye(3), NOISE, 1, measured=[index])
