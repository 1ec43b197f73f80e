"""Interpolation between scattered measurements: kriging, that is the mean of a Gaussian process around zero.

Near entries decide, far ones fade, and far from all of them the answer is 0 (Rasmussen and Williams, Gaussian Processes for Machine
Learning, 2006, algorithm 2.1). What near means is learned for every coordinate by itself, so that those that do not matter for a family of
kernels stop separating its members (automatic relevance determination, the same book, section 5.1).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.spatial.distance import cdist
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from predictors.estimator import Vector
from predictors.features import Matrix
from predictors.relevance import Shape, learn, matern

#: The 90 % half-width of a normal distribution in its standard deviations.
_HALF = 1.645

#: Noise of a value that is known well, as a share of the signal.
_WELL = 1e-2


class Kriging:
    """Interpolates values at points of a scaled space.

    `shape` says how values vary in it; `weights` `(n,)` belong to `points` `(n, d)`.
    """

    def __init__(self, points: Matrix, weights: Vector, shape: Shape) -> None:
        self.points, self.weights, self.shape = points, weights, shape
        self._places = points / shape.lengths
        self._near: Any = None

    @classmethod
    def fit(cls, points: Matrix, values: Vector, halves: Vector | None = None, shape: Shape | None = None) -> Kriging:
        """From points `(n, d)`, all different, their values `(n,)` and 90 % half-widths of these (default 0); n >= 1.

        The shape is learned where none is given.
        """
        known = np.zeros(len(points)) if halves is None else halves
        with threadpool_limits(limits=1, user_api="blas"):
            # Small matrices: a second thread only waits for the first, and on a busy machine it waits long.
            model = cls(points, np.zeros(len(points)), shape or learn(points, values, np.square(known / _HALF)))
            variances = model.shape.noise + np.square(known / _HALF)
            model.weights = cho_solve(cho_factor(model._kernel(points) + np.diag(variances), lower=True), values)
        return model

    def predict(self, points: Matrix) -> Vector:
        """Values at points `(m, d)`, shape `(m,)`. A row's value does not depend on the other rows, to the last bit."""
        return np.asarray((self._kernel(points) * self.weights).sum(axis=1))

    def support(self, points: Matrix) -> Vector:
        """How near entries are, `(m,)`: the share of the variance that they would explain if they were known well, 1 at an entry, 0 far
        from all of them."""
        if self._near is None:
            near = matern(cdist(self._places, self._places)) + _WELL * np.eye(len(self._places))
            with threadpool_limits(limits=1, user_api="blas"):
                self._near = cho_factor(near, lower=True)
        kernel = matern(cdist(points / self.shape.lengths, self._places))
        return np.asarray(np.clip((kernel * cho_solve(self._near, kernel.T).T).sum(axis=1), 0.0, 1.0))

    def to_json(self) -> dict[str, Any]:
        """Shape and weights; points are stored by the caller."""
        return {**self.shape.to_json(), "weights": self.weights.tolist()}

    @classmethod
    def from_json(cls, data: Mapping[str, Any], points: Matrix) -> Kriging:
        """The inverse of `to_json`. Raises ValueError when the numbers do not belong to these points."""
        shape, weights = Shape.from_json(data), np.array(data["weights"], dtype=np.float64)
        if weights.shape != (len(points),) or shape.lengths.shape != points.shape[1:]:
            raise ValueError(f"interpolation has {len(weights)} weights and {len(shape.lengths)} lengths for points {points.shape}")
        return cls(points, weights, shape)

    def _kernel(self, points: Matrix) -> Matrix:
        return self.shape.signal * matern(cdist(points / self.shape.lengths, self._places))
