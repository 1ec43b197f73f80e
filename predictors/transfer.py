"""`Transfer`: what items cost on a new device, from a handful of measurements there and their costs on known devices."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from device_profiles.errors import InputError
from predictors.estimator import Vector
from predictors.features import Matrix
from predictors.few_shot import Posterior
from predictors.low_rank import Prior, spread_apart
from predictors.next_measurement import next_measurements

#: Candidates for how much of the differences is the new device's own.
OWN = (0.01, 0.03, 0.1, 0.3)

#: Items and measurements with which the candidates are tried on known devices.
_TRIED_ITEMS, _TRIED_MEASUREMENTS = 400, 10

#: Relative error of a measurement as expected before there is one.
EXPECTED_NOISE = 0.05

#: No cost is less than this share of what the known devices make of it.
_LEAST_RATIO = 0.05


class Transfer:
    """Few-shot prices of items (networks or operators) on a new device: a Gaussian process whose covariance is learned from known devices.

    Learned from the known devices: `own_` (how much a new one is expected to go its own way) and `prior_`. Learned from the
    measurements: `posterior_`, `scale_`.
    """

    own_: float
    prior_: Prior
    posterior_: Posterior
    scale_: float

    def fit(self, sources: npt.ArrayLike, features: npt.ArrayLike | None, chosen: npt.ArrayLike, measured: npt.ArrayLike) -> Transfer:
        """`learn(sources, features)`, then `adapt(chosen, measured)`."""
        return self.learn(sources, features).adapt(chosen, measured)

    def learn(self, sources: npt.ArrayLike, features: npt.ArrayLike | None = None) -> Transfer:
        """What the known devices say.

        `sources`: costs `(n, d)` > 0, measured or predicted; `features`: `(n, f)`, what the items are made of.
        Costs are expected to be about linear in features, as they are in counts of operators. Raises InputError for wrong shapes or values.
        """
        costs = _matrix("costs on known devices", sources)
        if not costs.shape[1] or not (costs > 0).all():
            raise InputError("costs on known devices must be above 0, one row per item and one column per device")
        known = None if features is None else _matrix("features", features)
        if known is not None and len(known) != len(costs):
            raise InputError(f"features have {len(known)} rows for {len(costs)} items; one row per item is wanted")
        self.own_ = _own(costs, known)
        self.prior_ = Prior.of(costs, known, self.own_)
        return self

    def next(self, count: int, measured: npt.ArrayLike = (), costs: npt.ArrayLike | None = None) -> list[int]:
        """The `count` items to measure next on the new device, in order; see `next_measurements`. It does not depend on their results."""
        return next_measurements(self._known().factor, EXPECTED_NOISE, count, measured, costs=costs)

    def adapt(self, chosen: npt.ArrayLike, measured: npt.ArrayLike) -> Transfer:
        """Takes in measurements on the new device: indices `(k,)` of the items and their costs `(k,)` > 0, in any unit; k >= 1."""
        prior = self._known()
        rows, costs = np.asarray(chosen, dtype=np.intp).ravel(), np.asarray(measured, dtype=np.float64).ravel()
        if not len(rows) or rows.shape != costs.shape or not (np.isfinite(costs) & (costs > 0)).all():
            raise InputError("measurements need at least one item, and one cost above 0 for each")
        if rows.min() < 0 or rows.max() >= len(prior.base):
            raise InputError(f"an index of what was measured is not within 0 to {len(prior.base) - 1}")
        ratios = costs / prior.base[rows]
        self.scale_ = float(np.exp(np.median(np.log(ratios))))
        self.posterior_ = Posterior.of(prior.factor[rows], ratios / self.scale_ - 1.0)
        return self

    def predict(self) -> tuple[Vector, Vector, Vector]:
        """The cost of every item on the new device, and the ends of the 90 % interval of a measurement of it; each `(n,)`, above 0."""
        prior = self._known()
        if not hasattr(self, "posterior_"):
            raise InputError("nothing was measured on the new device yet: call adapt(chosen, measured)")
        ratio = np.maximum(1.0 + self.posterior_.ratios(prior.factor), _LEAST_RATIO)
        wide = 1.0 + self.posterior_.half_widths(prior.factor) / ratio
        mean = self.scale_ * prior.base * ratio
        return mean, mean / wide, mean * wide

    def _known(self) -> Prior:
        if not hasattr(self, "prior_"):
            raise InputError("this transfer knows no device yet: call learn(sources, features)")
        return self.prior_


def _matrix(what: str, values: npt.ArrayLike) -> Matrix:
    matrix = np.asarray(values, dtype=np.float64)
    if matrix.ndim != 2 or not len(matrix) or not np.isfinite(matrix).all():
        raise InputError(f"{what} must be finite numbers, one row per item; got shape {matrix.shape}")
    return matrix


def _own(costs: Matrix, features: Matrix | None) -> float:
    """The candidate with the least error when each known device in turn is taken for new, with no device like it among the others."""
    if features is None or costs.shape[1] < 2:
        return OWN[-1]
    some = np.unique(np.linspace(0, len(costs) - 1, min(len(costs), _TRIED_ITEMS)).astype(int))
    costs, features = costs[some], features[some]
    others = spread_apart(np.log(costs))
    errors = np.zeros(len(OWN))
    for column, known in enumerate(others):
        for index, own in enumerate(OWN):
            errors[index] += _error(Prior.of(costs[:, known], features, own), costs[:, column])
    return OWN[int(np.argmin(errors))]


def _error(prior: Prior, truth: Vector) -> float:
    """The logarithm of the mean squared relative error on a known device, as if it had been measured at a few items."""
    chosen = next_measurements(prior.factor, EXPECTED_NOISE, min(_TRIED_MEASUREMENTS, max(1, len(truth) // 4)))
    ratios = truth / prior.base
    ratios = ratios / np.exp(np.median(np.log(ratios[chosen]))) - 1.0
    errors = (Posterior.of(prior.factor[chosen], ratios[chosen]).ratios(prior.factor) - ratios) / (1.0 + ratios)
    return float(np.log(np.square(np.delete(errors, chosen)).mean() + 1e-6))
