"""Energy from the graph alone: power by the kind of work times the latency of every kind."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from device_profiles.errors import InputError
from predictors.conformal import half_width
from predictors.estimator import Vector
from predictors.features import Matrix
from predictors.held_out import folds
from predictors.power import PowerModel
from predictors.rates import FEWEST, PRIOR, AdditiveCost
from predictors.totals import TOTALS, by_group


class GraphEnergy:
    """Latency and energy of networks on a device of which whole networks were measured and no operators, such as a published table.

    Latency is linear in what the operators of every family add up to; energy is the latency of every family times its power. Rows are
    those of `network_totals`, of networks as the runtime executes them.

    Learned: `latency_` (an `AdditiveCost`), `power_` (a `PowerModel` on milliseconds by family), `width_` the log half-width of the 90 %
    interval of an energy from the graph.
    """

    def fit(self, X: npt.ArrayLike, y: npt.ArrayLike, latency_ms: npt.ArrayLike) -> GraphEnergy:
        """Learns from totals `(n, len(TOTALS))`, energies in mJ `(n,)` and latencies `(n,)`, all above 0.

        Raises InputError when numbers are missing or not positive.
        """
        totals, energy, latency = (np.asarray(values, dtype=np.float64) for values in (X, y, latency_ms))
        if totals.ndim != 2 or totals.shape[1] != len(TOTALS) or not len(totals) or not energy.shape == latency.shape == totals.shape[:1]:
            raise InputError(f"every network needs totals, an energy and a latency; got {totals.shape}, {energy.shape} and {latency.shape}")
        if not all(np.isfinite(values).all() and (values > 0).all() for values in (latency, energy)):
            raise InputError("measured latencies and energies must be above 0")
        self.latency_, self.power_ = _fit(totals, latency, energy)
        self.width_ = half_width(_left_out(totals, latency, energy), PRIOR)
        return self

    def times_ms(self, X: npt.ArrayLike) -> Matrix:
        """Milliseconds of the call and of every family of operators, `(n, 1 + len(FAMILIES))`; the sum of a row is the latency."""
        return by_group(np.asarray(X, dtype=np.float64) * self.latency_.rates_)

    def predict(self, X: npt.ArrayLike) -> Vector:
        """Millijoules per call, shape `(n,)`."""
        return self.power_.predict(self.times_ms(X))

    def interval(self, X: npt.ArrayLike) -> Matrix:
        """Lower and upper ends of the 90 % intervals of `predict`, shape `(n, 2)`."""
        energy, factor = self.predict(X), np.exp(self.width_)
        return np.stack([energy / factor, energy * factor], axis=1)


def _fit(totals: Matrix, latency: Vector, energy: Vector) -> tuple[AdditiveCost, PowerModel]:
    model = AdditiveCost().fit(totals, latency)
    times = by_group(totals * model.rates_)
    # Powers are learned at the times that were measured: what the latency model misses must not be taken for power.
    return model, PowerModel().fit(times * (latency / times.sum(axis=1))[:, None], energy)


def _left_out(totals: Matrix, latency: Vector, energy: Vector) -> Vector:
    """Log errors of energies from models that did not see the network; empty where there are too few to leave any out."""
    if len(energy) < FEWEST:
        return np.zeros(0)
    errors = np.zeros(len(energy))
    for part in folds(len(energy)):
        others = np.setdiff1d(np.arange(len(energy)), part)
        model, power = _fit(totals[others], latency[others], energy[others])
        errors[part] = np.log(power.predict(by_group(totals[part] * model.rates_)) / energy[part])
    return errors
