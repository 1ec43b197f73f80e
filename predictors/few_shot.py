"""From a prior of low rank and a handful of measurements to a posterior: what the candidates for noise and size of the differences say.

The model is that of `low_rank`: ratios `(k,)` = rows `(k, q)` @ z + errors, with z of independent normals of variance `gain`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

from predictors.conformal import COVERAGE
from predictors.estimator import Vector
from predictors.features import Matrix

#: Candidates: relative errors of a measurement, and how much larger the differences are than the prior says.
NOISES, GAINS = (0.005, 0.01, 0.02, 0.04, 0.08, 0.16), (0.1, 0.3, 1.0, 3.0)

#: Degrees of freedom of errors: single measurements may be far off (Lange, Little and Taylor, JASA 1989).
TAILS = 4.0

#: Rounds of reweighting; the weights no longer move.
_ROUNDS = 8


@dataclass(frozen=True)
class Posterior:
    """What is known about z after measuring: `mean` `(q,)` and `covariance` `(q, q)`.

    `noise` is the relative error of a measurement, `size` how large the differences are against what the prior expected, `count` the
    number of measurements.
    """

    mean: Vector
    covariance: Matrix
    noise: float
    size: float
    count: int

    @classmethod
    def of(cls, rows: Matrix, ratios: Vector, known: Vector | None = None) -> Posterior:
        """The candidates weighted by how likely they make the measurements. `known` `(k,)` are relative errors that each measurement has
        in any case (default 0)."""
        least = np.zeros(len(ratios)) if known is None else known
        found = [_candidate(rows, ratios, gain, np.hypot(noise, least)) for gain in GAINS for noise in NOISES]
        likelihood = np.array([candidate[2] for candidate in found])
        weights = np.exp(likelihood - likelihood.max())
        weights /= weights.sum()
        mean = sum((w * m for w, (m, _, _) in zip(weights, found, strict=True)), np.zeros(rows.shape[1]))
        covariance = sum(
            (w * (c + np.outer(m - mean, m - mean)) for w, (m, c, _) in zip(weights, found, strict=True)), np.zeros((rows.shape[1],) * 2)
        )
        noise = float(np.sqrt(weights @ np.square(np.tile(NOISES, len(GAINS)))))
        size = float(np.sqrt(weights @ np.repeat(GAINS, len(NOISES))))
        return cls(mean, covariance, noise, size, len(ratios))

    def ratios(self, factor: Matrix) -> Vector:
        """The ratio of items `(n, q)`, `(n,)`."""
        return np.asarray(factor @ self.mean)

    def deviations(self, factor: Matrix) -> Vector:
        """Its standard deviation without the error of measuring, `(n,)`."""
        return np.asarray(np.sqrt(np.maximum(np.einsum("ij,ij->i", factor @ self.covariance, factor), 0.0)))

    def half_widths(self, factor: Matrix) -> Vector:
        """What a measurement of each item is off by at most with a chance of 90 %, `(n,)`."""
        chance = 0.5 + COVERAGE / 2
        # The noise itself is known from `count` measurements only.
        wide = float(stdtrit(self.count + 2.0, chance))
        return np.asarray(np.hypot(wide * self.deviations(factor), float(stdtrit(min(TAILS, self.count + 2.0), chance)) * self.noise))


def _candidate(rows: Matrix, ratios: Vector, gain: float, noise: Vector) -> tuple[Vector, Matrix, float]:
    """Mean and covariance of z, and the log likelihood (Laplace's approximation), with errors of Student's t and of size `noise` `(k,)`."""
    weights = np.ones(len(ratios))
    kernel = gain * rows @ rows.T
    for _ in range(_ROUNDS):
        errors = np.square(noise) / weights * np.linalg.solve(kernel + np.diag(np.square(noise) / weights), ratios)
        weights = (TAILS + 1.0) / (TAILS + np.square(errors / noise))
    inverse = np.linalg.inv(kernel + np.diag(np.square(noise) / weights))
    solved = inverse @ ratios
    errors = np.square(noise) / weights * solved
    _, determinant = np.linalg.slogdet(kernel * (weights / np.square(noise))[:, None] + np.eye(len(ratios)))
    law = -0.5 * (TAILS + 1.0) * np.log1p(np.square(errors / noise) / TAILS).sum() - np.log(noise).sum()
    covariance = gain * np.eye(rows.shape[1]) - gain**2 * rows.T @ inverse @ rows
    return gain * rows.T @ solved, covariance, float(law - 0.5 * (ratios - errors) @ solved - 0.5 * determinant)
