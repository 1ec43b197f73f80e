"""How measured values vary with each coordinate: the shape of a Gaussian process, learned by its marginal likelihood.

Rasmussen and Williams, Gaussian Processes for Machine Learning, 2006: the likelihood and its gradient are equations 5.8 and 5.9, a length
scale per coordinate is section 5.1, the Matern kernel equation 4.17.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.linalg import cho_factor, cho_solve
from scipy.spatial.distance import cdist

from predictors.estimator import Vector
from predictors.features import Matrix

#: Fewer entries than this say nothing about single coordinates: one length for all, in medians of the distance, and much noise.
_FEW, _CAUTIOUS_LENGTH, _CAUTIOUS_NOISE = 6, 1.2, 1e-2

#: At most so many entries are looked at to learn a shape: it does not need all of them and costs their number cubed.
_LEARNING = 300

#: Before anything is seen a length is this many units times the root of the number of coordinates, give or take so much in log.
_PRIOR_LENGTH, _PRIOR_SPREAD = 2.0, 1.5

#: Steps of the optimiser, and the bounds of the logarithms of lengths, signal and noise where values have a mean square of 1.
_STEPS, _LENGTHS, _SIGNAL, _NOISE = 40, (-3.0, 6.0), (-6.0, 4.0), (-11.0, 0.0)

#: A coordinate that never changed among the entries counts as much as one at this quantile of the lengths, from the shortest.
_UNSEEN = 0.1

_ROOT3 = float(np.sqrt(3.0))


@dataclass(frozen=True)
class Shape:
    """`lengths` `(d,)`: how far apart two points say little about each other; `signal` and `noise`: variances of values and of what is not
    explained by where a point lies, in the square of the unit of the values."""

    lengths: Vector
    signal: float
    noise: float

    def to_json(self) -> dict[str, Any]:
        """The numbers by name."""
        return {"lengths": self.lengths.tolist(), "signal": self.signal, "noise": self.noise}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Shape:
        """The inverse of `to_json`. Raises ValueError for numbers that are no shape."""
        shape = cls(np.array(data["lengths"], dtype=np.float64), float(data["signal"]), float(data["noise"]))
        if not (shape.lengths.ndim == 1 and (shape.lengths > 0).all() and shape.signal > 0 and shape.noise > 0):
            raise ValueError("lengths, signal and noise of an interpolation must be positive")
        return shape


def learn(points: Matrix, values: Vector, variances: Vector) -> Shape:
    """The shape that makes the values `(n,)` at `points` `(n, d)` most likely; `variances` `(n,)` of the values are known beforehand."""
    size = float(np.mean(np.square(values))) or 1.0
    chosen = np.sort(np.random.default_rng(0).permutation(len(points))[:_LEARNING])
    moving = points[chosen].std(axis=0) > 1e-9
    if len(chosen) < _FEW or not moving.any():
        distances = cdist(points[chosen], points[chosen])
        unit = float(np.median(distances[distances > 0])) if (distances > 0).any() else 1.0
        return Shape(np.full(points.shape[1], _CAUTIOUS_LENGTH * unit), size, _CAUTIOUS_NOISE * size)
    from scipy.optimize import minimize  # slow to import, and needed here only

    seen, scaled, known = points[chosen][:, moving], values[chosen] / np.sqrt(size), variances[chosen] / size
    prior = np.log(_PRIOR_LENGTH * np.sqrt(seen.shape[1]))
    start = np.array([*np.full(seen.shape[1], prior), np.clip(np.log(scaled.var() + 1e-3), *_SIGNAL), np.log(3e-3)])
    bounds = [*[_LENGTHS] * seen.shape[1], _SIGNAL, _NOISE]
    found = minimize(_unlikely, start, (seen, scaled, known, prior), "L-BFGS-B", True, bounds=bounds, options={"maxiter": _STEPS}).x
    lengths = np.full(points.shape[1], np.exp(np.quantile(found[:-2], _UNSEEN)))
    lengths[moving] = np.exp(found[:-2])
    return Shape(lengths, float(np.exp(found[-2])) * size, float(np.exp(found[-1])) * size)


def matern(distances: Matrix) -> Matrix:
    """The Matern kernel of smoothness 3/2 at length 1: continuous and once differentiable, as run times are at best."""
    scaled = distances * _ROOT3
    return np.asarray((1.0 + scaled) * np.exp(-scaled))


def _unlikely(logs: Vector, points: Matrix, values: Vector, variances: Vector, prior: float) -> tuple[float, Vector]:
    """Minus the log of likelihood times prior, and its gradient by the logarithms of lengths, signal and noise."""
    *_, signal, noise = np.exp(logs)
    places = points / np.exp(logs[:-2])
    distances = cdist(places, places)
    correlation, decay = matern(distances), np.exp(-_ROOT3 * distances)
    try:
        factor = cho_factor(signal * correlation + np.diag(noise + variances), lower=True)
    except np.linalg.LinAlgError:  # not positive definite in this precision: as unlikely as can be
        return 1e25, np.zeros_like(logs)
    weights, inverse = cho_solve(factor, values), cho_solve(factor, np.eye(len(values)))
    away = (logs[:-2] - prior) / _PRIOR_SPREAD
    value = 0.5 * float(values @ weights) + float(np.log(np.diag(factor[0])).sum()) + 0.5 * float(away @ away)
    slope = np.outer(weights, weights) - inverse
    by_length = _summed_squares(3.0 * signal * slope * decay, places)
    by_signal, by_noise = (slope * correlation).sum() * signal, np.trace(slope) * noise
    return value, -0.5 * np.array([*by_length, by_signal, by_noise]) + np.array([*away / _PRIOR_SPREAD, 0.0, 0.0])


def _summed_squares(weights: Matrix, places: Matrix) -> npt.NDArray[np.float64]:
    """Per coordinate the sum over all pairs of `weights` `(n, n)` times the square of their difference in `places` `(n, d)`."""
    return np.asarray(2.0 * ((weights.sum(axis=1)[:, None] * np.square(places)).sum(axis=0) - (places * (weights @ places)).sum(axis=0)))
