"""`LinearRatio`: a linear model of how the measured time relates to the base; what trees and interpolation are compared with."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import Ridge

from predictors.estimator import Self, Vector
from predictors.features import Matrix
from predictors.over_base import OverBase


class LinearRatio(OverBase):
    """Ridge regression of `log(measured / base)` on the logarithms of the features, each in units of its own spread.

    Parameters: `base` (default `Roofline()`), `penalty` on the squared coefficients.

    Learned: `base_`, `scaling_`, `coef_` `(n_features,)`, `intercept_`.
    """

    def __init__(self, base: Any = None, penalty: float = 10.0) -> None:
        self.base = base
        self.penalty = penalty

    def fit(self: Self, X: npt.ArrayLike, y: npt.ArrayLike) -> Self:
        """Learns from features `(n, n_features)` and times `(n,)`."""
        model: Any = self
        features, ratio = model._fit_base(X, y)
        model.scaling_ = Scaling(features)
        ridge = Ridge(alpha=model.penalty).fit(model.scaling_(features), ratio)
        model.coef_, model.intercept_ = ridge.coef_, float(ridge.intercept_)
        return self

    def predict(self, X: npt.ArrayLike) -> Vector:
        """Times of rows `(m, n_features)`, shape `(m,)`, in the unit of the `y` of `fit`."""
        features = self._validate_predict(X)
        # Not a matrix product: what a row gives must not depend on the others, to the last bit.
        ratio = (self.scaling_(features) * self.coef_).sum(axis=1) + self.intercept_
        return self._times(features, ratio)


class Scaling:
    """Features as a linear model or a network wants them: logarithms, in units of their spread, none further off than was seen."""

    def __init__(self, X: Matrix) -> None:
        logarithms = _logarithms(X)
        self.centre, spread = logarithms.mean(axis=0), logarithms.std(axis=0)
        self.spread = np.where(spread > 1e-9, spread, 1.0)
        self.low, self.high = logarithms.min(axis=0), logarithms.max(axis=0)

    def __call__(self, X: Matrix) -> Matrix:
        """`(m, n_features)` to the same shape."""
        return np.asarray((np.clip(_logarithms(X), self.low, self.high) - self.centre) / self.spread)


def _logarithms(X: Matrix) -> Matrix:
    return np.asarray(np.sign(X) * np.log1p(np.abs(X)))
