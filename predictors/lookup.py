"""`LookupTable`: what was measured, what lies between measurements, and the base where nothing is near."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import clone

from predictors.estimator import CostEstimator, Self, Vector, from_ratio, is_operators, to_ratio
from predictors.features import FAMILY_COLUMNS, Matrix
from predictors.kriging import Kriging
from predictors.relevance import Shape
from predictors.roofline import Roofline


class LookupTable(CostEstimator):
    """Measured entries with their spread, interpolation between them, the base outside.

    A row that was measured gets its measured value. Any other gets the base times a factor interpolated between measured operators of
    the same family, in the logarithms of their features; far from all of them the factor is 1.

    Parameters: `base` prices everything (default `Roofline()`); `capacity` bounds the entries per family that take part in interpolating.

    Learned: `base_`; `entries_` `(k, n_features)` the distinct rows, `values_` `(k,)` their means, `spread_` `(k,)` relative half-widths;
    `scale_`, `groups_`.
    """

    def __init__(self, base: Any = None, capacity: int = 1500) -> None:
        self.base = base
        self.capacity = capacity

    def fit(self: Self, X: npt.ArrayLike, y: npt.ArrayLike, spread: npt.ArrayLike | None = None, like: LookupTable | None = None) -> Self:
        """Keeps rows `(n, n_features)` with values `(n,)`; `spread` `(n,)` are relative half-widths of the values (default 0).

        How values vary between entries is learned, or taken over from the table `like` for the families that it knows.
        """
        features, values = self._validate(X, y)
        half = np.zeros(len(values)) if spread is None else np.asarray(spread, dtype=np.float64)
        if half.shape != values.shape:
            raise ValueError(f"spread must have one number per row, got shape {half.shape} for {len(values)} rows")
        self.operators_ = is_operators(features, values)
        self.base_ = (Roofline() if self.base is None else clone(self.base)).fit(features, values)
        _keep_entries(self, features + 0.0, values, half)
        _fit_groups(self, {} if like is None else {group: model.shape for group, model in like.groups_.items()})
        return self

    def predict(self, X: npt.ArrayLike) -> Vector:
        """Values of rows `(m, n_features)`, shape `(m,)`."""
        features = self._validate_predict(X)
        base = self.base_.predict(features)
        values = from_ratio(_interpolate(self, features, "predict"), base, self.operators_)
        index = self.find(features)
        return np.where(index >= 0, self.values_[index], values)

    def find(self, X: npt.ArrayLike) -> npt.NDArray[np.intp]:
        """The entry that equals each row, -1 where none does; shape `(m,)`."""
        rows = np.ascontiguousarray(np.asarray(X, dtype=np.float64) + 0.0)  # + 0.0 makes -0.0 a 0.0
        return np.array([self._index.get(row.tobytes(), -1) for row in rows], dtype=np.intp)

    def support(self, X: npt.ArrayLike) -> Vector:
        """How much of each value rests on measured entries, `(m,)`: 1 on an entry, 0 where only the base speaks."""
        return _interpolate(self, self._validate_predict(X), "support")

    def to_json(self) -> dict[str, Any]:
        """What fitting chose, readable; entries and base are stored by the caller."""
        return {"capacity": self.capacity, "groups": {str(group): model.to_json() for group, model in self.groups_.items()}}

    @classmethod
    def from_json(cls, data: dict[str, Any], base: Roofline, X: Matrix, y: Vector, spread: Vector) -> LookupTable:
        """The table that wrote `data`, from the same base and measurements; nothing is fitted again."""
        model = cls(capacity=int(data["capacity"]))
        model.operators_, model.base_, model.n_features_in_ = True, base, X.shape[1]
        _keep_entries(model, X + 0.0, y, spread)
        model.scale_ = _scales(model)
        model.groups_ = {}
        for name, members in _members(model).items():
            points = _coordinates(model, name, model.entries_[members])
            model.groups_[name] = Kriging.from_json(data["groups"][str(name)], points)
        return model


def _keep_entries(model: Any, X: Matrix, y: Vector, spread: Vector) -> None:
    """Rows that are equal become one entry, in order of first occurrence: their mean, and a spread that covers them all."""
    model._index = {}
    owner = np.array([model._index.setdefault(row.tobytes(), len(model._index)) for row in np.ascontiguousarray(X)], dtype=np.intp)
    count = np.bincount(owner)
    first = np.unique(owner, return_index=True)[1]
    model.entries_ = X[first]
    model.values_ = np.bincount(owner, weights=y) / count
    away = np.abs(y - model.values_[owner]) / np.maximum(np.abs(model.values_[owner]), np.finfo(float).tiny)
    model.spread_ = np.zeros(len(first))
    np.maximum.at(model.spread_, owner, away + spread)


def _group_of(model: Any, X: Matrix) -> npt.NDArray[np.intp]:
    """Operators interpolate within their family, other rows among all."""
    return np.asarray(X[:, FAMILY_COLUMNS].argmax(axis=1)) if model.operators_ else np.zeros(len(X), dtype=np.intp)


def _members(model: Any) -> dict[int, npt.NDArray[np.intp]]:
    """The entries of every group, at most `capacity` of them, spread evenly over the order in which they came."""
    groups = _group_of(model, model.entries_)
    members = {}
    for group in np.unique(groups):
        mine = np.flatnonzero(groups == group)
        members[int(group)] = mine[np.unique(np.linspace(0, len(mine) - 1, min(len(mine), model.capacity)).astype(int))]
    return members


def _scales(model: Any) -> dict[int, Vector]:
    """The unit of every coordinate, per group.

    A feature that never changes within a group still separates it from operators that differ in it: then the unit is that of all entries.
    """
    points = _logarithms(model.entries_)
    overall = points.std(axis=0)
    overall = np.where(overall > 1e-9, overall, 1.0)
    scales = {}
    for group, members in _members(model).items():
        own = points[members].std(axis=0)
        scales[group] = np.where(own > 1e-9, own, overall)
    return scales


def _logarithms(X: Matrix) -> Matrix:
    return np.asarray(np.sign(X) * np.log1p(np.abs(X)))


def _coordinates(model: Any, group: int, X: Matrix) -> Matrix:
    return np.asarray(_logarithms(X) / model.scale_[group])


def _fit_groups(model: Any, shapes: Mapping[int, Shape]) -> None:
    ratios = to_ratio(model.values_, model.base_.predict(model.entries_), model.operators_)
    halves = model.spread_ * (1.0 if model.operators_ else np.abs(model.values_))
    model.scale_ = _scales(model)
    model.groups_ = {
        g: Kriging.fit(_coordinates(model, g, model.entries_[m]), ratios[m], halves[m], shapes.get(g)) for g, m in _members(model).items()
    }


def _interpolate(model: Any, X: Matrix, what: str) -> Vector:
    """`predict` or `support` of every row's group; 0 for rows of a group that has no entry."""
    groups = _group_of(model, X)
    result = np.zeros(len(X))
    for group in np.unique(groups):
        if int(group) in model.groups_:
            mine = groups == group
            result[mine] = getattr(model.groups_[int(group)], what)(_coordinates(model, int(group), X[mine]))
    return result
