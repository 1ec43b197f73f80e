"""The battery that every cost estimator must pass: scikit-learn's own, and what the house adds."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.utils.estimator_checks import parametrize_with_checks

from predictors.boosted import BoostedTrees
from predictors.features import COLUMN, feature_matrix
from predictors.linear import LinearRatio
from predictors.lookup import LookupTable
from predictors.neural import NeuralRatio
from predictors.roofline import Roofline

ESTIMATORS = [Roofline(), LookupTable(), BoostedTrees(), LinearRatio(), NeuralRatio()]


@parametrize_with_checks(ESTIMATORS)
def test_scikit_learn(estimator: Any, check: Any) -> None:
    check(estimator)


@pytest.fixture(params=ESTIMATORS, ids=lambda e: type(e).__name__)
def estimator(request: pytest.FixtureRequest) -> Any:
    return clone(request.param)


def data(lab: SimpleNamespace, n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    operators = lab.some_operators(n, seed)
    return feature_matrix(operators), np.array([lab.true_ms(op) for op in operators])


def test_prices_are_positive_whatever_the_operator(lab: SimpleNamespace, estimator: Any) -> None:
    estimator.fit(*data(lab, 40))
    strange = [lab.elementwise("Odd", 1), lab.conv(2048, 4096, 224, kernel=7), lab.gemm(1, 1, 1), lab.elementwise("Flatten", 0)]
    prices = estimator.predict(feature_matrix(strange))
    assert np.isfinite(prices).all()
    assert (prices > 0).all()


def test_better_than_one_rate_for_all(lab: SimpleNamespace, estimator: Any) -> None:
    """The judge of a base: a constant times MACs plus a constant, the rule of thumb of every engineer."""
    X, y = data(lab, 80)
    other_X, other_y = data(lab, 60, seed=1)
    rule = np.column_stack([X[:, COLUMN["macs"]], np.ones(len(X))])
    weights = np.linalg.lstsq(rule / y[:, None], np.ones(len(y)), rcond=None)[0]
    naive = np.abs(np.column_stack([other_X[:, COLUMN["macs"]], np.ones(60)]) @ weights / other_y - 1).mean()
    assert np.abs(estimator.fit(X, y).predict(other_X) / other_y - 1).mean() < 0.5 * naive


@pytest.mark.parametrize("n", [1, 2, 3])
def test_few_measurements_are_enough_to_price(lab: SimpleNamespace, estimator: Any, n: int) -> None:
    X, y = data(lab, n)
    prices = estimator.fit(X, y).predict(data(lab, 20, seed=2)[0])
    assert np.isfinite(prices).all()
    assert (prices > 0).all()
    assert (prices < 1e3).all()


def test_units_do_not_matter(lab: SimpleNamespace, estimator: Any) -> None:
    X, y = data(lab, 40)
    other = data(lab, 20, seed=3)[0]
    in_ms, in_us = estimator.fit(X, y).predict(other), clone(estimator).fit(X, 1000 * y).predict(other)
    # XGBoost rounds to float32.
    np.testing.assert_allclose(in_us, 1000 * in_ms, rtol=2e-2)


def test_a_row_does_not_depend_on_the_others(lab: SimpleNamespace, estimator: Any) -> None:
    X, y = data(lab, 40)
    other = data(lab, 30, seed=4)[0]
    together = estimator.fit(X, y).predict(other)
    assert [float(estimator.predict(row[None])[0]) for row in other] == together.tolist()


def test_fitting_twice_gives_the_same(lab: SimpleNamespace, estimator: Any) -> None:
    X, y = data(lab, 40)
    other = data(lab, 30, seed=5)[0]
    assert clone(estimator).fit(X, y).predict(other).tolist() == estimator.fit(X, y).predict(other).tolist()
