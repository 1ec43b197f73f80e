"""Costs that add up: `y = sum of rate * amount` with rates that are not negative, fitted so that a few wild measurements do not matter."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from scipy.optimize import nnls

from predictors.conformal import half_width
from predictors.estimator import MAX_LOG_RATIO, CostEstimator, Self, Vector, fit_linear
from predictors.features import Matrix
from predictors.held_out import folds

#: Residuals beyond this many standard deviations count by their size, not by their square (Huber, Annals of Mathematical Statistics 1964).
_HUBER = 1.345

#: Reweightings; they settle after a handful.
_ROUNDS = 8

#: Below this relative residual nothing is told apart.
_LEAST = 1e-6

#: The log error expected before any prediction was checked, and how many rows it takes to leave some out.
PRIOR, FEWEST = 0.1, 10


class AdditiveCost(CostEstimator):
    """Rates per unit of every column, by robust least squares on relative errors with a little ridge.

    The linear models of FLASH (Li, Mandal, Ogras and Marculescu, ACM TECS 2021), with columns such as MACs and moved bytes, are of this
    form; there the rates may be negative, here more work is never cheaper. Parameter: `ridge`, relative to one measurement.

    Learned: `rates_` `(n_features,)`, `width_` the log half-width of the 90 % interval. On matrices with negative entries or targets:
    `coef_`, `intercept_` of a ridge regression instead.
    """

    def __init__(self, ridge: float = 1e-6) -> None:
        self.ridge = ridge

    def fit(self: Self, X: npt.ArrayLike, y: npt.ArrayLike) -> Self:
        """Learns from amounts `(n, n_features)`, none negative, and costs `(n,)`, all positive."""
        features, costs = self._validate(X, y)
        self.amounts_ = is_amounts(features, costs)
        if not self.amounts_:
            fit_linear(self, features, costs)
            return self
        self.rates_ = ridge_rates(features, costs, self.ridge)
        self.width_ = half_width(held_out_errors(features, costs, lambda a, b: ridge_rates(a, b, self.ridge)), PRIOR)
        return self

    def predict(self, X: npt.ArrayLike) -> Vector:
        """Costs of rows `(m, n_features)`, shape `(m,)`, in the unit of the `y` of `fit`."""
        features = self._validate_predict(X)
        return np.asarray(features @ self.rates_ if self.amounts_ else features @ self.coef_ + self.intercept_)


def is_amounts(X: Matrix, y: Vector) -> bool:
    """Whether rows can be amounts of work and the target a cost."""
    return bool((X >= 0).all() and (y > 0).all() and (X.sum(axis=1) > 0).all())


def robust_rates(X: Matrix, y: Vector, prior: Vector, stray: Vector, noise: float) -> Vector:
    """Rates >= 0 that minimise the relative errors of `X @ rates` against `y`, pulled towards `prior`.

    `stray` is how far every rate may lie from its prior before that costs as much as a relative error of the size `noise`.
    """
    design, weights = X / y[:, None] * stray, np.ones(len(y))
    rates = prior
    for _ in range(_ROUNDS):
        left = np.vstack([design * weights[:, None], noise * np.eye(len(prior))])
        rates = nnls(left, np.concatenate([weights, noise * prior / stray]))[0] * stray
        residuals = np.abs(X @ rates / y - 1.0)
        limit = max(_HUBER * 1.4826 * float(np.median(residuals)), _LEAST)
        weights = np.sqrt(limit / np.maximum(residuals, limit))
    return np.asarray(rates)


def ridge_rates(X: Matrix, y: Vector, ridge: float) -> Vector:
    """Robust rates pulled towards 0, each as strongly as if its column alone made the whole cost."""
    whole = 1.0 / np.maximum(np.median(X / y[:, None], axis=0), (X / y[:, None]).mean(axis=0) + np.finfo(float).tiny)
    return robust_rates(X, y, np.zeros(X.shape[1]), np.where(X.any(axis=0), whole, 1.0), np.sqrt(ridge))


def held_out_errors(X: Matrix, y: Vector, fit: Callable[[Matrix, Vector], Vector]) -> Vector:
    """Log errors `(n,)` of every row by rates that were fitted without it; empty where there are too few rows to leave any out.

    A prediction of 0, from rates that know nothing of a row, counts as the largest error.
    """
    if len(y) < FEWEST:
        return np.zeros(0)
    errors = np.zeros(len(y))
    for part in folds(len(y)):
        others = np.setdiff1d(np.arange(len(y)), part)
        predicted = X[part] @ fit(X[others], y[others])
        errors[part] = np.log(np.maximum(predicted / y[part], np.exp(-MAX_LOG_RATIO)))
    return errors
