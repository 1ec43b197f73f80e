"""What the estimators share that learn how a measured time relates to the base."""

from __future__ import annotations

from typing import Any

import numpy.typing as npt
from sklearn.base import clone

from predictors.estimator import CostEstimator, Vector, from_ratio, is_operators, to_ratio
from predictors.features import Matrix
from predictors.roofline import Roofline


class OverBase(CostEstimator):
    """A model of `log(measured / base)`: the base carries the scale, the model what it cannot know. `base` None is `Roofline()`.

    Learned: `base_`, and `operators_`, whether the rows were operators (see `estimator`).
    """

    base: Any
    base_: Any
    operators_: bool

    def _fit_base(self, X: npt.ArrayLike, y: npt.ArrayLike) -> tuple[Matrix, Vector]:
        """Learns the base; returns the features `(n, n_features)` and the ratios `(n,)` that are left to explain."""
        features, times = self._validate(X, y)
        self.operators_ = is_operators(features, times)
        self.base_ = (Roofline() if self.base is None else clone(self.base)).fit(features, times)
        return features, to_ratio(times, self.base_.predict(features), self.operators_)

    def _times(self, features: Matrix, ratios: Vector) -> Vector:
        """The times of rows from their ratios, `(m,)`."""
        return from_ratio(ratios, self.base_.predict(features), self.operators_)
