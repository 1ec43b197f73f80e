"""What all cost estimators share: validation of their input, and the scale on which they work.

They are scikit-learn regressors from rows of `features.FEATURES` to times. Because the contract of a regressor is that it takes any
numbers, each also works on matrices that are no operators and on targets that are not positive: then the base is a plain linear model and
the target is taken as it is instead of its logarithm.
"""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from predictors.features import FEATURES, Matrix

Vector = npt.NDArray[np.float64]
Self = TypeVar("Self", bound="CostEstimator")

#: Times further than this factor (in log) from the base are not believed of any model.
MAX_LOG_RATIO = 12.0


class CostEstimator(RegressorMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """A regressor whose target is positive and spans orders of magnitude."""

    def _validate(self, X: Any, y: Any) -> tuple[Matrix, Vector]:
        """X `(n, n_features)` and y `(n,)` as finite float64. Raises ValueError as scikit-learn words it."""
        features, target = validate_data(self, X, y, dtype=np.float64, y_numeric=True, ensure_min_samples=1)
        return features, np.asarray(target, dtype=np.float64)

    def _validate_predict(self, X: Any) -> Matrix:
        check_is_fitted(self)
        features: Matrix = validate_data(self, X, dtype=np.float64, reset=False)
        return features


def is_operators(X: Matrix, y: Vector) -> bool:
    """Whether rows can be features of operators and the target can be a time."""
    return X.shape[1] == len(FEATURES) and bool((X >= 0).all()) and bool((y > 0).all())


def to_ratio(y: Vector, base: Vector, logarithmic: bool) -> Vector:
    """How the target relates to the base: `log(y / base)`, or `y - base` where a logarithm does not exist."""
    return np.log(y / base) if logarithmic else y - base


def from_ratio(ratio: Vector, base: Vector, logarithmic: bool) -> Vector:
    """The inverse of `to_ratio`."""
    return base * np.exp(np.clip(ratio, -MAX_LOG_RATIO, MAX_LOG_RATIO)) if logarithmic else base + ratio


def fit_linear(model: Any, X: Matrix, y: Vector) -> None:
    """Sets `coef_` and `intercept_` of a nearly unpenalised ridge regression: what estimators fall back on where rows are no operators."""
    centre = X.mean(axis=0)
    spread = X - centre
    penalty = 1e-6 * max(float(np.square(spread).sum()), 1e-12) * np.eye(X.shape[1]) / X.shape[1]
    model.coef_ = np.linalg.solve(spread.T @ spread + penalty, spread.T @ (y - y.mean()))
    model.intercept_ = float(y.mean() - centre @ model.coef_)
