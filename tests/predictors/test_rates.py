from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.utils.estimator_checks import parametrize_with_checks

from predictors.power import PowerModel
from predictors.rates import AdditiveCost, held_out_errors


@parametrize_with_checks([AdditiveCost(), PowerModel()])
def test_scikit_learn(estimator: Any, check: Any) -> None:
    check(estimator)


def amounts(n: int = 120, seed: int = 0) -> np.ndarray:
    """A fixed part, MACs and bytes: columns of very different size."""
    rng = np.random.default_rng(seed)
    return np.column_stack([np.ones(n), rng.lognormal(16, 1, n), rng.lognormal(12, 1, n)])


TRUTH = np.array([0.05, 3e-8, 4e-7])


def test_finds_the_rates_in_spite_of_wild_measurements() -> None:
    X = amounts()
    y = X @ TRUTH * np.random.default_rng(1).normal(1, 0.01, len(X))
    y[::10] *= 3
    model = AdditiveCost().fit(X, y)
    np.testing.assert_allclose(model.rates_, TRUTH, rtol=0.1)
    assert np.abs(model.predict(amounts(seed=2)) / (amounts(seed=2) @ TRUTH) - 1).mean() < 0.01


def test_intervals_cover() -> None:
    X, other = amounts(300), amounts(1000, seed=3)
    rng = np.random.default_rng(4)
    model = AdditiveCost().fit(X, X @ TRUTH * np.exp(rng.normal(0, 0.05, len(X))))
    errors = np.log(model.predict(other) / (other @ TRUTH * np.exp(rng.normal(0, 0.05, len(other)))))
    assert 0.85 < np.mean(np.abs(errors) <= model.width_) < 0.95


@given(st.integers(0, 2), st.floats(0, 1e9))
def test_more_is_never_cheaper(column: int, more: float) -> None:
    X = amounts(30)
    model = AdditiveCost().fit(X, X @ TRUTH)
    grown = X[:1].copy()
    grown[0, column] += more
    assert model.predict(grown)[0] >= model.predict(X[:1])[0]


def test_columns_that_never_occurred_are_harmless() -> None:
    X = np.column_stack([amounts(), np.zeros(120)])
    model = AdditiveCost().fit(X, X[:, :3] @ TRUTH)
    np.testing.assert_allclose(model.predict(X), X[:, :3] @ TRUTH, rtol=1e-3)


@pytest.mark.parametrize("n", [1, 2, 5])
def test_few_rows_give_a_wide_interval(n: int) -> None:
    X = amounts(n)
    model = AdditiveCost().fit(X, X @ TRUTH)
    assert (model.predict(amounts(20)) > 0).all()
    assert model.width_ > 0.1
    assert len(held_out_errors(X, X @ TRUTH, lambda a, b: TRUTH)) == 0
