"""A Gaussian process with one length scale per feature, in numpy, for hundreds of points.

Rasmussen and Williams, Gaussian Processes for Machine Learning, MIT Press 2006, sections 2.2 and 5.4.
"""

from __future__ import annotations

import numpy as np

from hwnas.objectives import Floats

#: Prior of the logarithms of relevance (1 / length scale squared) and of noise: mean and standard deviation.
RELEVANCE, NOISE = (np.log(0.1), 1.5), (np.log(0.01), 1.0)
#: Steps of the search for hyper-parameters: the first time, and from there on when a point or a few were added.
FIRST, LATER = 100, 15


class GaussianProcess:
    """Predicts values with their standard deviations; hyper-parameters are the most probable ones that a random descent finds.

    They are kept between fits, so that a refit with a few more points is quick. All randomness comes from `rng`.
    """

    def __init__(self, n_features: int, rng: np.random.Generator) -> None:
        self._rng = rng
        self._hyper = np.append(np.full(n_features, RELEVANCE[0]), NOISE[0])
        self._steps = FIRST

    def fit(self, features: Floats, values: Floats) -> GaussianProcess:
        """Learn `(n, n_features)` standardised features and their `(n,)` finite values, n at least 1."""
        self._mean, self._scale = float(values.mean()), float(values.std()) or 1.0
        targets = (values - self._mean) / self._scale
        squares = (features[:, None] - features[None]) ** 2
        best, hyper = self._cost(self._hyper, squares, targets), self._hyper
        for _ in range(self._steps):
            some = self._rng.random(len(hyper)) < 0.3
            tried = hyper + 0.7 * self._rng.standard_normal(len(hyper)) * some
            cost = self._cost(tried, squares, targets)
            if cost < best:
                best, hyper = cost, tried
        self._hyper, self._steps = hyper, LATER
        self._features = features
        self._inverse = np.linalg.inv(_kernel(squares, hyper))
        self._weights = self._inverse @ targets
        self._variance = max(float(targets @ self._weights) / len(targets), 1e-12)
        return self

    def predict(self, features: Floats) -> tuple[Floats, Floats]:
        """Means and standard deviations of the values without noise, each `(n,)`, for `(n, n_features)`."""
        # Single precision: twice as fast over a whole space, and a surrogate is not good to six digits.
        scaled, known = ((f * np.exp(self._hyper[:-1] / 2)).astype(np.float32) for f in (features, self._features))
        squares = (scaled**2).sum(axis=1)[:, None] + (known**2).sum(axis=1) - 2 * scaled @ known.T
        near = np.exp(-0.5 * np.maximum(squares, 0.0))
        left = np.maximum(1.0 - np.einsum("ij,ij->i", near @ self._inverse.astype(np.float32), near), 1e-6)
        mean, deviation = (near @ self._weights.astype(np.float32)).astype(np.float64), np.sqrt(left.astype(np.float64) * self._variance)
        return mean * self._scale + self._mean, deviation * self._scale

    def _cost(self, hyper: Floats, squares: Floats, targets: Floats) -> float:
        """The negative logarithm of the posterior of hyper-parameters, the scale of the values integrated out by its best value."""
        try:
            lower = np.linalg.cholesky(_kernel(squares, hyper))
        except np.linalg.LinAlgError:
            return np.inf
        white = np.linalg.solve(lower, targets)
        likelihood = 0.5 * len(targets) * np.log(white @ white / len(targets) + 1e-12) + np.log(np.diag(lower)).sum()
        prior = (((hyper[:-1] - RELEVANCE[0]) / RELEVANCE[1]) ** 2).sum() + ((hyper[-1] - NOISE[0]) / NOISE[1]) ** 2
        return float(likelihood + 0.5 * prior)


def _kernel(squares: Floats, hyper: Floats) -> Floats:
    """The covariance of `(n, n, n_features)` squared differences, noise included, shape `(n, n)`."""
    smooth: Floats = np.exp(-0.5 * (squares @ np.exp(hyper[:-1])))
    smooth[np.diag_indices(len(squares))] += float(np.exp(hyper[-1])) + 1e-9
    return smooth
