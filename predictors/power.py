"""Power by what a device is doing: from the milliseconds of every kind of work to millijoules."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from predictors.conformal import half_width
from predictors.estimator import CostEstimator, Self, Vector, fit_linear
from predictors.features import Matrix
from predictors.rates import PRIOR, held_out_errors, is_amounts, robust_rates

#: How far the power of one kind of work may lie from that of all, relative to it, before it counts as much as an error of usual size.
_STRAY = 0.15


class PowerModel(CostEstimator):
    """Energy = sum over kinds of work of power x time. Columns are milliseconds per kind, the target is in millijoules, powers in watts.

    Every kind has a power of its own as far as measurements ask for it, and leans on one power for all where they do not. Where that does
    not predict what was left out better than the constant power does, the constant power is taken.

    Parameter: `stray`, see `_STRAY`. Learned: `watts_` `(n_features,)`, `constant_w_`, `width_` the log half-width of the 90 % interval at
    known times. On matrices that are no times: `coef_`, `intercept_` of a ridge regression instead.
    """

    def __init__(self, stray: float = _STRAY) -> None:
        self.stray = stray

    def fit(self: Self, X: npt.ArrayLike, y: npt.ArrayLike) -> Self:
        """Learns from milliseconds `(n, n_features)`, none negative, and millijoules `(n,)`, all positive."""
        times, energies = self._validate(X, y)
        self.times_ = is_amounts(times, energies)
        if not self.times_:
            fit_linear(self, times, energies)
            return self
        errors = held_out_errors(times, energies, lambda a, b: _by_kind(a, b, self.stray))
        plain = held_out_errors(times, energies, _constant)
        better = len(errors) > 0 and np.abs(errors).mean() < np.abs(plain).mean()
        self.constant_w_ = float(_constant(times, energies)[0])
        self.watts_ = _by_kind(times, energies, self.stray) if better else _constant(times, energies)
        self.width_ = half_width(errors if better else plain, PRIOR)
        return self

    def predict(self, X: npt.ArrayLike) -> Vector:
        """Millijoules of rows `(m, n_features)`, shape `(m,)`."""
        times = self._validate_predict(X)
        return np.asarray(times @ self.watts_ if self.times_ else times @ self.coef_ + self.intercept_)

    def to_json(self) -> dict[str, Any]:
        """What was learned; `watts` in the order of the columns."""
        return {"stray": self.stray, "watts": self.watts_.tolist(), "constant_w": self.constant_w_, "width": self.width_}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> PowerModel:
        """The inverse of `to_json`."""
        model = cls(float(data["stray"]))
        model.times_, model.constant_w_, model.width_ = True, float(data["constant_w"]), float(data["width"])
        model.watts_ = np.array([float(watts) for watts in data["watts"]])
        model.n_features_in_ = len(model.watts_)
        return model


def _constant(times: Matrix, energies: Vector) -> Vector:
    """One power for all: the median of energy over time."""
    return np.full(times.shape[1], float(np.median(energies / times.sum(axis=1))))


def _by_kind(times: Matrix, energies: Vector, stray: float) -> Vector:
    constant = _constant(times, energies)
    noise = 1.4826 * float(np.median(np.abs(times @ constant / energies - 1.0)))
    return robust_rates(times, energies, constant, stray * constant, max(noise, 1e-4))
