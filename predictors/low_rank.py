"""What known devices say about an unknown one, before it was measured: a mean, and a covariance of low rank.

The cost of `n` items on a new device is taken as

    scale * base * (1 + factor @ z),    z independent standard normals

`base` is the geometric mean of the known devices. The columns of `factor` are the ways in which the known devices differ from it, a
constant cost per item, and the features of the items, each as strongly as it drives the differences of the known devices. Costs add up, so
everything is linear in costs; errors of measurements are shares of a cost, so everything is divided by `base`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from predictors.estimator import Vector
from predictors.features import Matrix

#: Devices whose differences from the mean correlate by more than this are kin.
KIN = 0.9

#: Relative difference between devices when the known ones show none.
_TYPICAL = 0.05

#: Directions with less than this share of the variance are left out.
_LEAST = 1e-5

#: Penalty on the coefficients of features, as a share of the number of items.
_RIDGE = 1e-3


@dataclass(frozen=True)
class Prior:
    """`base` `(n,)` > 0 and `factor` `(n, q)`, see above."""

    base: Vector
    factor: Matrix

    @classmethod
    def of(cls, sources: Matrix, features: Matrix | None, own: float) -> Prior:
        """From the costs on known devices `(n, d)` > 0, and features of the items `(n, f)` or None.

        `own` is how much of the differences is expected to be the new device's own, that is, in no way in which known ones differ:
        the variance that features explain, relative to that between the known devices.
        """
        logs = np.log(sources)
        logs = logs - logs.mean(axis=0)
        weights = 1.0 / relatives(logs)
        weights /= weights.sum()
        base = np.exp(logs @ weights)
        apart = np.exp(logs) / base[:, None] - 1.0
        typical = max(float(np.square(apart).mean(axis=0) @ weights), _TYPICAL**2)
        # A constant cost per item, in units of the usual one: a faster device is not faster at starting a kernel.
        columns = [np.sqrt(typical) * np.ones((len(base), 1)), np.sqrt(typical) * (1.0 / base / np.mean(1.0 / base))[:, None]]
        columns.append(apart * np.sqrt(weights))
        if features is not None and own > 0:
            columns.append(np.sqrt(own * typical) * _relevant(features, apart, base, weights))
        return cls(base, compressed(np.hstack(columns)))


def relatives(logs: Matrix) -> Vector:
    """How many devices each of `(n, d)` log costs stands with, itself included, shape `(d,)`: three boards of one kind are one witness."""
    return np.asarray((_correlations(logs) > KIN).sum(axis=1), dtype=np.float64)


def spread_apart(logs: Matrix) -> list[npt.NDArray[np.intp]]:
    """For every device of `(n, d)` log costs the columns of the others that are not its kin; of all others where none is left."""
    kin = _correlations(logs) > KIN
    others = [np.flatnonzero(~row) for row in kin]
    return [found if len(found) else np.flatnonzero(np.arange(len(kin)) != column) for column, found in enumerate(others)]


def _correlations(logs: Matrix) -> Matrix:
    """Correlations `(d, d)` between devices of what sets them apart from their mean over devices; 1 on the diagonal."""
    apart = logs - logs.mean(axis=0)
    if logs.shape[1] > 2:
        apart = apart - apart.mean(axis=1)[:, None]
    size = np.sqrt(np.square(apart).sum(axis=0)) + 1e-9
    correlations = np.asarray(apart.T @ apart / np.outer(size, size))
    np.fill_diagonal(correlations, 1.0)
    return correlations


def compressed(factor: Matrix) -> Matrix:
    """A factor `(n, r)` of nearly the same covariance with as few columns as it takes."""
    values, vectors = np.linalg.eigh(factor.T @ factor)
    kept = values > _LEAST * values.sum()
    return np.asarray(factor @ vectors[:, kept])


def _relevant(features: Matrix, apart: Matrix, base: Vector, weights: Vector) -> Matrix:
    """Columns of features over `base`, each scaled by the size of its coefficients on known devices; their mean variance is 1."""
    columns = features[:, features.std(axis=0) > 1e-9]
    columns = (columns - columns.mean(axis=0)) / columns.std(axis=0)
    rows = columns / base[:, None]
    gram = rows.T @ rows + _RIDGE * len(rows) * np.eye(rows.shape[1])
    coefficients = np.linalg.solve(gram, rows.T @ apart)
    sizes = np.sqrt(np.square(coefficients) @ weights)
    # Devices that do not differ, or a single one, say nothing about which features matter.
    scaled = rows * (sizes if sizes.sum() > 1e-9 else 1.0)
    return np.asarray(scaled / np.sqrt(max(float(np.square(scaled).sum(axis=1).mean()), 1e-300)))
