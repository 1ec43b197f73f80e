"""The analytical base: time from work and traffic, and a fixed cost per kernel.

The roofline model (Williams, Waterman and Patterson, CACM 2009) with rates found by regression instead of data sheets:

    time = fixed + sharp_sum(macs / rate + steps / step_rate, activation bytes / bandwidth + weight bytes / weight_bandwidth)

where `sharp_sum(a, b) = (a^p + b^p)^(1/p)` lies between the sum (p = 1: nothing overlaps) and the maximum (p -> infinity: all does).
Every family of kernels has rates of its own as far as there is data, and leans on those of all kernels where there is little.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import nnls

from predictors.estimator import CostEstimator, Self, Vector, fit_linear, is_operators
from predictors.features import COLUMN, FAMILY_COLUMNS, Matrix, steps
from predictors.kinds import FAMILIES

#: Terms of the model, in the order of the columns of `rates_`.
TERMS = ("fixed", "macs", "element_steps", "activation_bytes", "weight_bytes")

#: Which terms are computing and which are moving data; the fixed cost is neither.
_COMPUTE, _MOVE = (1, 2), (3, 4)

#: No price is below this share of the shortest time seen in fitting, and of what a kernel costs that does nothing.
_FLOOR_SHARE = 0.1

#: The work whose time is about the fixed cost of a kernel, before any data says better.
_FIXED_WORK = 1e4

#: Alternations between rates and overlap weights; they settle after a handful.
_ROUNDS = 8


class Roofline(CostEstimator):
    """Prices any operator from its MACs and bytes; never 0.

    Parameters: `sharpness` is the p above; `pull` is how many operators' worth of weight the rates of all kernels have for a family.

    Learned: `rates_` `(len(FAMILIES), len(TERMS))`, cost per unit of each term (ms per MAC and so on), `floor_` the smallest price,
    `seen_` `(len(FAMILIES),)` number of operators per family. On matrices that are no operators: `coef_`, `intercept_` of a ridge
    regression instead.
    """

    def __init__(self, sharpness: float = 2.0, pull: float = 0.1) -> None:
        self.sharpness = sharpness
        self.pull = pull

    def fit(self: Self, X: npt.ArrayLike, y: npt.ArrayLike) -> Self:
        """Learns rates from features `(n, len(FEATURES))` and times `(n,)`, by least squares on relative errors."""
        features, times = self._validate(X, y)
        self.operators_ = is_operators(features, times)
        if self.operators_:
            _fit_rates(self, features, times)
        else:
            fit_linear(self, features, times)
        return self

    def predict(self, X: npt.ArrayLike) -> Vector:
        """Times of rows `(n, n_features)`, shape `(n,)`, in the unit of the `y` of `fit`; positive for operators."""
        features = self._validate_predict(X)
        if not self.operators_:
            return np.asarray(features @ self.coef_ + self.intercept_, dtype=np.float64)
        terms, families = _terms(features), _families(features)
        return np.maximum(_combine(terms, self.rates_[families], self.sharpness), self.floor_)

    def to_json(self) -> dict[str, Any]:
        """Parameters and learned rates, readable: one object of rates per family that has data."""
        rates = {name: dict(zip(TERMS, row.tolist(), strict=True)) for name, row in zip(FAMILIES, self.rates_, strict=True)}
        seen = dict(zip(FAMILIES, self.seen_.tolist(), strict=True))
        return {
            "sharpness": self.sharpness,
            "pull": self.pull,
            "floor": self.floor_,
            "rates": rates,
            "seen": seen,
            "n_features": self.n_features_in_,
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Roofline:
        """The inverse of `to_json`."""
        model = cls(float(data["sharpness"]), float(data["pull"]))
        model.operators_, model.floor_, model.n_features_in_ = True, float(data["floor"]), int(data["n_features"])
        model.rates_ = np.array([[float(data["rates"][family][term]) for term in TERMS] for family in FAMILIES])
        model.seen_ = np.array([int(data["seen"][family]) for family in FAMILIES])
        return model


def _terms(X: Matrix) -> Matrix:
    column = COLUMN
    moved = X[:, column["read_bytes"]] + X[:, column["written_bytes"]]
    terms = np.stack([np.ones(len(X)), X[:, column["macs"]], steps(X), moved, X[:, column["weight_bytes"]]], axis=1)
    return np.maximum(terms, 0.0)


def _families(X: Matrix) -> npt.NDArray[np.intp]:
    return np.asarray(X[:, FAMILY_COLUMNS].argmax(axis=1))


def _parts(terms: Matrix, rates: Matrix) -> tuple[Vector, Vector, Vector]:
    cost = terms * rates
    return cost[:, 0], cost[:, _COMPUTE].sum(axis=1), cost[:, _MOVE].sum(axis=1)


def _combine(terms: Matrix, rates: Matrix, p: float) -> Vector:
    fixed, compute, move = _parts(terms, rates)
    largest = np.maximum(np.maximum(compute, move), np.finfo(float).tiny)
    return np.asarray(fixed + largest * ((compute / largest) ** p + (move / largest) ** p) ** (1.0 / p))


def _fit_rates(model: Any, X: Matrix, y: Vector) -> None:
    terms, families = _terms(X), _families(X)
    scale = _scale(terms, y)
    common = _solve(terms, y, model.sharpness, 0.5 * scale, 1e-3 * model.pull, scale)
    rates = np.tile(common, (len(FAMILIES), 1))
    for index in np.unique(families):
        mine = families == index
        # A family may well be ten times as slow per MAC as the others: what it may stray is measured by its own times.
        own = np.maximum(common, _scale(terms[mine], y[mine]))
        rates[index] = _solve(terms[mine], y[mine], model.sharpness, common, model.pull, own)
        # Least squares on relative errors leans low; the median error says by how much.
        errors = np.log(y[mine] / np.maximum(_combine(terms[mine], rates[index], model.sharpness), np.finfo(float).tiny))
        rates[index] *= np.exp(np.median(errors) * mine.sum() / (mine.sum() + 4.0))
    model.rates_, model.floor_ = rates, float(_FLOOR_SHARE * min(y.min(), scale[0]))
    model.seen_ = np.bincount(families, minlength=len(FAMILIES))


def _scale(terms: Matrix, y: Vector) -> Vector:
    """Rates before any data says better: a MAC, a step and a byte of anything cost alike, as they do within a factor of ten.

    So no term is free because it never occurred, and a large convolution says little about bytes. The fixed cost is no share of the time
    of a large kernel, but that of some ten thousand MACs.
    """
    alike = float(np.median(y / np.maximum(terms[:, 1:].sum(axis=1), 1.0)))
    return np.array([min(_FIXED_WORK * alike, float(np.median(y))), *[alike] * (len(TERMS) - 1)])


def _solve(terms: Matrix, y: Vector, p: float, prior: Vector, pull: float, scale: Vector) -> Vector:
    """Rates >= 0 that minimise sum((predicted / y - 1)^2) + pull * sum(((rate - prior) / scale)^2).

    The overlap makes this nonlinear; with the weights `(compute / sum)^(p-1)` held it is linear, and holding and solving alternate.
    """
    scale = np.where(scale > 0, scale, 1.0)
    weights = np.ones_like(terms)
    rates = prior
    for _ in range(_ROUNDS if p > 1 else 1):
        # Solved in units of `scale`, so that a rate per MAC and a fixed cost are numbers of the same size.
        design = np.vstack([terms * weights * scale / y[:, None], np.sqrt(pull) * np.eye(len(prior))])
        target = np.concatenate([np.ones(len(y)), np.sqrt(pull) * prior / scale])
        rates = nnls(design, target)[0] * scale
        _, compute, move = _parts(terms, rates)
        total = np.maximum((compute**p + move**p) ** (1.0 / p), np.finfo(float).tiny)
        weights[:, _COMPUTE] = ((compute / total) ** (p - 1.0))[:, None]
        weights[:, _MOVE] = ((move / total) ** (p - 1.0))[:, None]
    return np.asarray(rates)
