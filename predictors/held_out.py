"""What each model says about operators it has not seen: the ground for choosing between models and for every interval."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from predictors.boosted import BoostedTrees
from predictors.conformal import half_width
from predictors.estimator import Vector
from predictors.features import FAMILY_COLUMNS, Matrix
from predictors.kinds import FAMILIES
from predictors.lookup import LookupTable
from predictors.roofline import Roofline

#: Parts into which operators are divided: each is priced by models fitted on the others.
FOLDS = 5

#: Errors (in log) expected before any is seen: of a model within known families, and of the base on a family that it has never seen.
PRIOR, PRIOR_UNSEEN = 0.7, 1.4

#: What trees need to say anything of their own, in a fold.
_MIN_FOR_TREES = 16


@dataclass(frozen=True)
class HeldOut:
    """Prices of measured operators by models that did not see them.

    `prices[source]` has shape `(n,)`, NaN where a model had nothing to say; `support` is how much of the interpolated price rested on
    entries; `families` are indices into `kinds.FAMILIES`; `unseen` are log errors of the base on families left out whole.
    """

    times: Vector
    families: npt.NDArray[np.intp]
    prices: dict[str, Vector]
    support: Vector
    unseen: Vector

    @classmethod
    def of(cls, X: Matrix, y: Vector, spread: Vector, lookup: LookupTable, trees: bool) -> HeldOut:
        """Cross-validates on features `(n, len(FEATURES))`, times `(n,)` and their relative half-widths `(n,)`: five parts, or one operator
        at a time for fewer than ten. How values vary between entries is taken from `lookup`, which was fitted on all of them."""
        families = X[:, FAMILY_COLUMNS].argmax(axis=1)
        prices = {source: np.full(len(y), np.nan) for source in ("base", "interpolated", "trees")}
        support = np.zeros(len(y))
        for out in folds(len(y)):
            kept = np.setdiff1d(np.arange(len(y)), out)
            if not kept.size:
                continue
            part = LookupTable().fit(X[kept], y[kept], spread[kept], lookup)
            prices["base"][out], prices["interpolated"][out] = part.base_.predict(X[out]), part.predict(X[out])
            support[out] = part.support(X[out])
            if trees and kept.size >= _MIN_FOR_TREES:
                prices["trees"][out] = BoostedTrees().fit(X[kept], y[kept]).predict(X[out])
        return cls(y, families, prices, support, _families_left_out(X, y, families))

    def choice(self, enough: int) -> dict[str, str]:
        """The better of interpolation and trees, by mean log error: for all operators (key "") and per family with `enough` of them."""
        choice = {"": self._better(np.ones(len(self.times), dtype=bool), "interpolated")}
        for family in np.unique(self.families):
            mine = self.families == family
            if mine.sum() >= enough:
                choice[FAMILIES[family]] = self._better(mine, choice[""])
        return choice

    def _better(self, mine: npt.NDArray[np.bool_], otherwise: str) -> str:
        errors = {s: np.abs(log_errors(self.prices[s][mine], self.times[mine])) for s in ("interpolated", "trees")}
        if not errors["trees"].size or not errors["interpolated"].size:
            return "interpolated" if not errors["trees"].size else otherwise
        return min(errors, key=lambda s: float(errors[s].mean()))

    def widths(self) -> dict[str, float]:
        """Log half-width of 90 % by source, for a price of doubt 1 (see `doubt`); "unseen" for kinds that were never measured."""
        widths = {"measured": 0.0}
        for source, prices in self.prices.items():
            scale = np.ones(len(self.times)) if source == "base" else np.sqrt(doubt(self.support))
            widths[source] = half_width(log_errors(prices, self.times, scale), PRIOR)
        widths["unseen"] = max(half_width(self.unseen, PRIOR_UNSEEN), widths["base"])
        return widths

    def take(self, rows: npt.NDArray[np.intp]) -> HeldOut:
        """The same for some of the operators, given by their indices."""
        prices = {source: values[rows] for source, values in self.prices.items()}
        return HeldOut(self.times[rows], self.families[rows], prices, self.support[rows], self.unseen)

    def policy(self, enough: int, learned_from: npt.NDArray[np.intp] | None = None) -> tuple[Vector, Vector]:
        """What operators would have been priced at had they not been measured, and the log half-widths of those prices; each `(n,)`.

        Model choice and widths come from the operators `learned_from` (default all).
        """
        learned = self if learned_from is None else self.take(learned_from)
        choice, widths = learned.choice(enough), learned.widths()
        sources = [choice.get(FAMILIES[family], choice[""]) for family in self.families]
        sources = [s if np.isfinite(self.prices[s][i]) else "base" for i, s in enumerate(sources)]
        prices = np.array([self.prices[s][i] for i, s in enumerate(sources)])
        unscaled = np.array([widths[s] for s in sources])
        return prices, np.where(np.array(sources) == "base", unscaled, unscaled * np.sqrt(doubt(self.support)))


def folds(n: int, count: int = FOLDS) -> list[npt.NDArray[np.intp]]:
    """Indices of `n` things in `count` parts of a fixed random division, or one by one when there are fewer than two per part."""
    order = np.random.default_rng(0).permutation(n)
    return [np.sort(part) for part in np.array_split(order, count if n >= 2 * count else max(n, 1))]


def log_errors(predicted: Vector, measured: Vector, scale: npt.ArrayLike = 1.0) -> Vector:
    """`log(predicted / measured) / scale` where there is a prediction."""
    errors = (np.log(predicted) - np.log(measured)) / scale
    return np.asarray(errors[np.isfinite(errors)])


def doubt(support: npt.ArrayLike) -> Any:
    """The variance of a price that rests on entries by `support` in 0..1, against one that rests on none: something remains on an entry."""
    return 0.05 + 0.95 * (1.0 - np.asarray(support, dtype=np.float64))


def _families_left_out(X: Matrix, y: Vector, families: npt.NDArray[np.intp]) -> Vector:
    """The typical log error of the base on every family when it was fitted on the others, shape `(families,)`."""
    present = np.unique(families)
    if len(present) < 2:
        return np.zeros(0)
    return np.array([_typical_error(X, y, families == family) for family in present])


def _typical_error(X: Matrix, y: Vector, out: npt.NDArray[np.bool_]) -> float:
    base = Roofline().fit(X[~out], y[~out])
    return float(np.median(np.abs(np.log(base.predict(X[out]) / y[out]))))
