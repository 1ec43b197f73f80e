"""Interpolation between scattered measurements: kriging, that is the mean of a Gaussian process around zero.

Near entries decide, far ones fade, and far from all of them the answer is 0 (Rasmussen and Williams, Gaussian Processes for Machine
Learning, 2006, algorithm 2.1). Length scale and noise are those with the smallest leave-one-out error, which has a closed form (the same
book, equation 5.12).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.spatial.distance import cdist
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from predictors.estimator import Vector
from predictors.features import Matrix

#: Candidate length scales, in medians of the distance between entries, and candidate variances of the noise.
_LENGTHS, _NOISES = (0.4, 0.8, 1.6, 3.2), (1e-4, 1e-3, 1e-2)

#: Too few entries to choose between candidates: the cautious ones.
_FEW, _CAUTIOUS = 4, (1.2, 1e-2)

#: At most this many entries are used to choose; the choice does not need all of them and costs their number cubed.
_CHOOSING = 250

_ROOT3 = float(np.sqrt(3.0))


class Kriging:
    """Interpolates values at points of a scaled space; `length` and `noise` are learned, `weights` belong to `points`."""

    def __init__(self, points: Matrix, weights: Vector, length: float, noise: float) -> None:
        self.points, self.weights, self.length, self.noise = points, weights, length, noise
        self._factor: Any = None

    @classmethod
    def fit(cls, points: Matrix, values: Vector) -> Kriging:
        """From points `(n, d)`, all different, and their values `(n,)`; n >= 1."""
        chosen = np.unique(np.linspace(0, len(points) - 1, min(len(points), _CHOOSING)).astype(int))
        distances = cdist(points[chosen], points[chosen])
        positive = distances[distances > 0]
        unit = float(np.median(positive)) if positive.size else 1.0
        length, noise = _CAUTIOUS[0] * unit, _CAUTIOUS[1]
        if len(chosen) >= _FEW:
            candidates = [(a * unit, b) for a in _LENGTHS for b in _NOISES]
            length, noise = min(candidates, key=lambda c: _left_out_error(distances, values[chosen], *c))
        model = cls(points, np.zeros(len(points)), length, noise)
        model.weights = cho_solve(model._cholesky(), values)
        return model

    def predict(self, points: Matrix) -> Vector:
        """Values at points `(m, d)`, shape `(m,)`. A row's value does not depend on the other rows, to the last bit."""
        return np.asarray((_matern(cdist(points, self.points), self.length) * self.weights).sum(axis=1))

    def support(self, points: Matrix) -> Vector:
        """How much of the answer comes from entries, `(m,)`: 1 at an entry, 0 far from all of them."""
        kernel = _matern(cdist(points, self.points), self.length)
        explained = (kernel * cho_solve(self._cholesky(), kernel.T).T).sum(axis=1)
        return np.asarray(np.clip(explained, 0.0, 1.0))

    def _cholesky(self) -> Any:
        if self._factor is None:
            kernel = _matern(cdist(self.points, self.points), self.length)
            # Small matrices: a second thread only waits for the first, and on a busy machine it waits long.
            with threadpool_limits(limits=1, user_api="blas"):
                self._factor = cho_factor(kernel + self.noise * np.eye(len(kernel)), lower=True)
        return self._factor


def _matern(distances: Matrix, length: float) -> Matrix:
    """The Matern kernel of smoothness 3/2: continuous and once differentiable, as run times are at best."""
    scaled = distances * (_ROOT3 / length)
    return np.asarray((1.0 + scaled) * np.exp(-scaled))


def _left_out_error(distances: Matrix, values: Vector, length: float, noise: float) -> float:
    inverse = np.linalg.inv(_matern(distances, length) + noise * np.eye(len(values)))
    return float(np.mean(np.abs(inverse @ values / np.diag(inverse))))
